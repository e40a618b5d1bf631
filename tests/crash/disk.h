/* disk.h -- a disk that can lose power, and forget what it could not write.
 *
 * The code under test works on a real directory. The disk remembers, beside it, what a real one
 * would surely have after a power cut: the content of each file as of its last fsync(2) or
 * fdatasync(2), and the entries of each directory as of its last fsync(2). All else is at the mercy
 * of the cut: pages may have been written or not, or sector by sector; a file may have its old size
 * or its new one; changes of a directory may have come through up to some point, or each or not by
 * itself, but none without one that it builds on, which freed the name that it takes or moved the
 * same file before. Renames are one change. That is more than journaling file systems do to their
 * users, which keep the order of all.
 *
 * A sync that fails has the kernel call the pages clean that it could not write: until somebody
 * writes them again no later sync brings them to the disk.
 *
 * What is on the disk and what is not outlives a process that dies: disk_keep() and disk_open().
 * Runs in the children of the suite.
 */
#ifndef MYGRPCADAPTER_TESTS_CRASH_DISK_H
#define MYGRPCADAPTER_TESTS_CRASH_DISK_H

#include <stdint.h>

struct disk;

/* Goes on with the disk that disk_keep() left in BASE/disk; where there is none, takes the tree
 * in BASE/volume as it stands for what is on the disk. BASE/graveyard is the disk's own: it
 * keeps a link to every file it has seen, so that one that was removed can come back. `seed`
 * decides what a power cut does. The caller owns *out. Ends the process on an error, like all of
 * these. */
void disk_open(struct disk **out, const char *base, uint64_t seed);

/* Leaves the disk to the next process, as this one is about to end. */
void disk_keep(struct disk *disk);

/* Something may have been created, renamed or removed. */
void disk_note_changes(struct disk *disk);

/* fsync() or fdatasync() of that descriptor, a file's or a directory's. */
void disk_note_sync(struct disk *disk, int fd);

/* The same, and it failed. */
void disk_note_failed_sync(struct disk *disk, int fd);

/* `size` bytes from `at` on were written by a call. */
void disk_note_write(struct disk *disk, int fd, uint64_t at, uint64_t size);

/* All that was ever written reaches the disk. */
void disk_sync_all(struct disk *disk);

/* Leaves in BASE/volume what a power cut leaves at this moment, all of it on the disk. This disk
 * is of no use afterwards. */
void disk_lose_power(struct disk *disk);

#endif
