/* text_pool.h -- the text of one pass, copied together so that what stands one behind the other in an output is one
 * piece of memory, and one piece for the kernel to write. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_TEXT_POOL_H
#define MYGRPCADAPTER_COLLECTOR_TEXT_POOL_H

#include <stddef.h>

#include "base/bytes.h"

/* Zero it before use, but for the capacity; the other fields are for text_pool.c. */
struct text_pool {
    size_t
        capacity; /* what a pass usually gathers at most; a record for which no room is left is kept by itself */
    char *block;
    size_t used;
    char **singles;
    size_t single_count;
    size_t single_capacity;
};

/* Copies bytes: *kept_r, good until text_pool_empty(). Returns 0 or -ENOMEM. */
int text_pool_add(struct text_pool *pool, struct bytes bytes, struct bytes *kept_r);

/* Forgets what was gathered; keeps the block for the next pass. */
void text_pool_empty(struct text_pool *pool);

/* Gives all memory back; bytes can be added again. */
void text_pool_clear(struct text_pool *pool);

#endif
