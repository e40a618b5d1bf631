/* segment_guard.h -- turns the fault of a store to a mapped file into an error.
 *
 * A store to a mapping is SIGBUS where the page cannot be had: the file was cut short, the disk
 * fails, or the file system needs room to copy a block that was allocated long ago (btrfs). Runs in
 * a worker, in its main thread; nobody else may be in segment_guard_run() at the same time.
 */
#ifndef MYGRPCADAPTER_SEGMENT_GUARD_H
#define MYGRPCADAPTER_SEGMENT_GUARD_H

#include <stddef.h>

/* Has SIGBUS handled from now on: inside segment_guard_run() as said there, elsewhere by the end of
 * the process, as without this. */
void segment_guard_install(void);

/* Calls store(context), which must hold no lock and own nothing when it stores to the `size` bytes
 * at `memory`. Returns 0, or -EFAULT if one of these stores was SIGBUS: then what stands behind it
 * in store() was not done. */
int segment_guard_run(const void *memory, size_t size, void (*store)(void *context), void *context);

#endif
