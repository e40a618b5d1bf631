/* text_pool.c -- a block of memory that is filled from its beginning with each pass. Runs in the
 * collector. */
#include "collector/text_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"

/* Copies what the block has no room for. */
static int
keep_alone(struct text_pool *pool, struct bytes bytes, struct bytes *kept_r)
{
    int result = ARRAY_RESERVE(pool->singles, pool->single_capacity, pool->single_count + 1);
    if (result != 0)
        return result;
    char *copy = malloc(bytes.size);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, bytes.data, bytes.size);
    pool->singles[pool->single_count++] = copy;
    *kept_r = (struct bytes){copy, bytes.size};
    return 0;
}

int
text_pool_add(struct text_pool *pool, struct bytes bytes, struct bytes *kept_r)
{
    INVARIANT(pool->used <= pool->capacity);
    if (pool->block == NULL)
        pool->block = malloc(pool->capacity);
    if (pool->block == NULL)
        return -ENOMEM;
    if (bytes.size > pool->capacity - pool->used)
        return keep_alone(pool, bytes, kept_r);
    char *copy = pool->block + pool->used;
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    pool->used += bytes.size;
    *kept_r = (struct bytes){copy, bytes.size};
    return 0;
}

void
text_pool_empty(struct text_pool *pool)
{
    for (size_t i = 0; i < pool->single_count; i++)
        free(pool->singles[i]);
    pool->single_count = 0;
    pool->used = 0;
}

void
text_pool_clear(struct text_pool *pool)
{
    text_pool_empty(pool);
    free(pool->singles);
    free(pool->block);
    *pool = (struct text_pool){.capacity = pool->capacity};
}
