/* text_pool.h -- the texts of one pass, copied one behind the other: what stands together in an
 * output is then one piece of memory, and one piece for the kernel to write. Runs in the
 * collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_TEXT_POOL_H
#define MYGRPCADAPTER_COLLECTOR_TEXT_POOL_H

#include <stddef.h>

#include "base/bytes.h"

/* Zero it before use, but for the capacity; the other fields are for text_pool.c. */
struct text_pool {
    /* Bytes of the block: what the texts of a pass usually need at most. A text for which no room
     * is left is kept by itself. */
    size_t capacity;
    char *block;
    size_t used;
    char **singles;
    size_t single_count;
    size_t single_capacity;
};

/* Copies bytes: *kept_r, good until text_pool_empty(). Returns 0 or -ENOMEM. */
int text_pool_add(struct text_pool *pool, struct bytes bytes, struct bytes *kept_r);

/* Forgets the texts; keeps the block for the next pass. */
void text_pool_empty(struct text_pool *pool);

/* Gives all memory back; texts can be added again. */
void text_pool_clear(struct text_pool *pool);

#endif
