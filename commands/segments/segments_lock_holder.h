/* segments_lock_holder.h -- who has a segment file locked, found out without touching it.
 *
 * A segment's writer holds flock(2) on it. To try that lock would disturb: while the lock is had
 * for the trial, a worker that prepares this file is refused, and a collector that tries to take it
 * over believes its writer alive and may not come back for long. /proc/locks says the same and
 * touches nothing. It tells for information only: no verdict depends on it. A writer in another PID
 * namespace (another container) is not seen, nor is one on a file system whose stat(2) shows
 * another device than the kernel's own (btrfs).
 *
 * Runs in the process of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LOCK_HOLDER_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LOCK_HOLDER_H

#include <stdio.h>
#include <sys/stat.h>

#define SEGMENTS_LOCK_HOLDER_UNKNOWN (-1L)

/* Reads lines as /proc/locks has them. Returns the pid of the process that holds flock on the file,
 * 0 if none does. */
long segments_lock_holder_read(FILE *locks, const struct stat *status);

/* The same from this system's locks; SEGMENTS_LOCK_HOLDER_UNKNOWN where they cannot be read. */
long segments_lock_holder_find(const struct stat *status);

#endif
