/* rename.h -- gives a file another name, but never one that is taken.
 *
 * renameat2(RENAME_NOREPLACE) does it in one step. NFS, CephFS, GlusterFS, 9p, old ZFS and most of
 * FUSE answer EINVAL. There the file gets its new name by a hard link, which fails where the name
 * is taken, and then loses the old one. Where there are no links either, the new name is looked
 * for first.
 *
 * Crash contract: who is killed leaves the file under its old name, under its new one, or, with
 * links, under both. A second call for both names finishes what the first one began. Used by
 * workers, the collector and the master.
 */
#ifndef MYGRPCADAPTER_BASE_RENAME_H
#define MYGRPCADAPTER_BASE_RENAME_H

/* Gives the file `from` in the directory `from_fd` the name `to` in the directory `to_fd`. If both
 * are names of one file, `from` is removed. The caller sees to it that nobody else makes `to` at
 * the same time: where there are no links, that one would be replaced. Returns 0 or a negative
 * errno (-EEXIST: another file has the name; -ENOENT: there is no `from`). After any other error
 * than -EEXIST the file may have both names. */
int rename_noreplace(int from_fd, const char *from, int to_fd, const char *to);

#endif
