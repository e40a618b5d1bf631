/* lock_holder.h -- who holds flock(2) on a file, found out without touching it.
 *
 * To try the lock would disturb: while it is had for the trial, a worker that prepares a segment is
 * refused, and a collector that tries to take it over believes its writer alive and may not come
 * back for long. /proc/locks (proc_locks(5)) says the same and touches nothing. It tells for
 * information only: no verdict depends on it. A holder in another PID namespace (another container)
 * is not seen, nor is one on a file system whose stat(2) shows another device than the kernel's own
 * (btrfs).
 *
 * Used by the master, for its message to whoever wanted a lock, and by `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_BASE_LOCK_HOLDER_H
#define MYGRPCADAPTER_BASE_LOCK_HOLDER_H

#include <stdio.h>
#include <sys/stat.h>

#define LOCK_HOLDER_UNKNOWN (-1L)

/* Reads lines as /proc/locks has them. Returns the pid of the process that holds flock on the file,
 * 0 if none does. */
long lock_holder_read(FILE *locks, const struct stat *status);

/* The same from this system's locks; LOCK_HOLDER_UNKNOWN where they cannot be read. */
long lock_holder_find(const struct stat *status);

#endif
