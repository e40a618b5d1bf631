/* volume.h -- the two directories of the adapter, and the locks that make it the only one there.
 *
 * Crash contract: the locks are the kernel's (flock), so they end with the master, however that
 * dies, once its children have closed what they inherited. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_VOLUME_H
#define MYGRPCADAPTER_MASTER_VOLUME_H

struct complaint;
struct settings;

struct volume {
    /* output.root and segments.directory. */
    int root_fd;
    int segments_fd;

    /* The file `lock` in segments.directory, and output.root once more; both locked. */
    int lock_fd;
    int root_lock_fd;
};

/* Opens output.root (which must be a directory that can be written), opens segments.directory,
 * creating it (mode 0700) if only its last part is missing, and locks both, trying for up to
 * two seconds each; the lock file then holds the pid. Tries what segments need of the file system
 * (master/volume_probe.h). All descriptors are close-on-exec. On
 * success returns 0 and the caller owns *out until volume_close(); else fills *complaint and
 * returns EX_CANTCREAT (a directory cannot be used), EX_TEMPFAIL (locked by another adapter) or
 * EX_CONFIG (both directories are the same). */
int volume_open(struct volume *out, const struct settings *settings, struct complaint *complaint);

/* Takes over the descriptors of a volume that an earlier program in this process opened and
 * locked. On success returns 0 and *out owns them until volume_close(); else as volume_open(). */
int volume_adopt(struct volume *out, const struct settings *settings, const struct volume *opened,
                 struct complaint *complaint);

/* Gives up the lock and closes; safe to call twice. */
void volume_close(struct volume *volume);

#endif
