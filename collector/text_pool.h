/* text_pool.h -- the text of one pass, copied together so that what stands one behind the other in an output is one
 * piece of memory, and one piece for the kernel to write. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_TEXT_POOL_H
#define MYGRPCADAPTER_COLLECTOR_TEXT_POOL_H

#include <stddef.h>

#include "base/bytes.h"

/* Zero it before use, but for the capacity; the other fields are for gather.c. */
struct gather {
    size_t
        capacity; /* what a pass usually gathers at most; a record for which no room is left is kept by itself */
    char *block;
    size_t used;
    char **singles;
    size_t single_count;
    size_t single_capacity;
};

/* Copies bytes: *kept_r, good until gather_reset(). Returns 0 or -ENOMEM. */
int gather_add(struct gather *gather, struct bytes bytes, struct bytes *kept_r);

/* Forgets what was gathered; keeps the block for the next pass. */
void gather_reset(struct gather *gather);

/* Gives all memory back; bytes can be added again. */
void gather_rest(struct gather *gather);

#endif
