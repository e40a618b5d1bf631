/* rename.h -- gives a file another name, but not one that is taken.
 *
 * renameat2(RENAME_NOREPLACE) does it in one step. NFS, CephFS, GlusterFS, 9p, old ZFS and FUSE
 * answer EINVAL. There the name is looked for, and then rename(2) is called. A hard link would not
 * do instead: FUSE and 9p make another inode of each name, with locks and pages of its own, and the
 * writer's would be lost.
 *
 * Crash contract: who is killed leaves the file under its old name or under its new one. Used by
 * workers, the collector and the master.
 */
#ifndef MYGRPCADAPTER_BASE_RENAME_H
#define MYGRPCADAPTER_BASE_RENAME_H

/* Gives the file `from` in the directory `from_fd` the name `to` in the directory `to_fd`. The
 * caller sees to it that nobody else makes `to` at the same time: by a lock on the file, or by
 * being the only one who gives such names. Returns 0 or a negative errno (-EEXIST: something has
 * the name; -ENOENT: there is no `from`). */
int rename_noreplace(int from_fd, const char *from, int to_fd, const char *to);

#endif
