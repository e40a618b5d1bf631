/* lock_file.h -- locks (flock) that make a process the only one of its kind on a directory.
 *
 * A lock on a file holds as long as the file has its name: somebody who removes or renames it has
 * the next process make, and lock, another one. So a process that gets such a lock asks whether the
 * name still leads to what it locked, and what must never be shared locks the directory itself as
 * well, which nobody can take from under it. Used by the master and the collector.
 */
#ifndef MYGRPCADAPTER_COMMON_LOCK_FILE_H
#define MYGRPCADAPTER_COMMON_LOCK_FILE_H

#include <stdbool.h>

/* Opens the file `name` of the directory, and makes it if it is missing; follows no link. Returns
 * the descriptor, the caller's to close, or a negative errno. */
int lock_file_open(int directory_fd, const char *name);

/* Whether the name leads to the open file `fd` still. */
bool lock_file_is_named(int directory_fd, const char *name, int fd);

/* Opens the directory once more, for a lock that is not shared with whoever inherits
 * `directory_fd`. Returns the descriptor, the caller's to close, or a negative errno. */
int lock_file_open_directory(int directory_fd);

/* Tries to lock an open file or directory. Returns 0, -EWOULDBLOCK if somebody else has the lock or
 * a signal came in between (over a network; whoever has patience tries again), or another negative
 * errno. */
int lock_file_try(int fd);

/* Whether lock_file_try() failed since the file system has no locks for directories (NFS). */
bool lock_file_is_unsupported(int error);

#endif
