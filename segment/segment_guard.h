/* segment_guard.h -- turns the fault of a store to a mapped file into an error.
 *
 * A store to a mapping is SIGBUS where the page cannot be had: the file was cut short, the disk
 * fails, or the file system needs room to copy a block that was allocated long ago (btrfs). In a
 * guarded mapping such a store goes to a page of memory that is nobody else's, and the guard says
 * so from then on: who stores looks, and takes nothing for written that was stored since. Runs in a
 * worker, in any of its threads.
 */
#ifndef MYGRPCADAPTER_SEGMENT_GUARD_H
#define MYGRPCADAPTER_SEGMENT_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fields are for segment_guard.c. */
struct segment_guard {
    _Atomic uintptr_t from; /* 0 = it guards nothing */
    _Atomic uintptr_t end;
    _Atomic bool faulted;
};

/* Guards the `size` bytes of a mapping at `memory`, until segment_guard_close(), which comes before
 * it is unmapped. Returns the guard, or NULL if there are too many. */
struct segment_guard *segment_guard_open(const void *memory, size_t size);

/* NULL-safe; sets *gp to NULL. */
void segment_guard_close(struct segment_guard **gp);

/* True once a store to the mapping did not reach the file. */
static inline bool
segment_guard_has_faulted(const struct segment_guard *guard)
{
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&guard->faulted, memory_order_relaxed);
}

#endif
