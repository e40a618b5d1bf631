/* text_pool.c -- a block of memory that is filled from its beginning with each pass. Runs in the collector. */
#include "collector/text_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
keep_alone(struct gather *gather, struct bytes bytes, struct bytes *kept_r)
{
    if (gather->single_count == gather->single_capacity) {
        size_t larger = gather->single_capacity == 0 ? 16 : gather->single_capacity * 2;
        char **grown = realloc(gather->singles, larger * sizeof(char *));
        if (grown == NULL)
            return -ENOMEM;
        gather->singles = grown;
        gather->single_capacity = larger;
    }
    char *copy = malloc(bytes.size);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, bytes.data, bytes.size);
    gather->singles[gather->single_count++] = copy;
    *kept_r = (struct bytes){copy, bytes.size};
    return 0;
}

int
gather_add(struct gather *gather, struct bytes bytes, struct bytes *kept_r)
{
    if (gather->block == NULL)
        gather->block = malloc(gather->capacity);
    if (gather->block == NULL)
        return -ENOMEM;
    if (bytes.size > gather->capacity - gather->used)
        return keep_alone(gather, bytes, kept_r);
    char *copy = gather->block + gather->used;
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    gather->used += bytes.size;
    *kept_r = (struct bytes){copy, bytes.size};
    return 0;
}

void
gather_reset(struct gather *gather)
{
    for (size_t i = 0; i < gather->single_count; i++)
        free(gather->singles[i]);
    gather->single_count = 0;
    gather->used = 0;
}

void
gather_rest(struct gather *gather)
{
    gather_reset(gather);
    free(gather->singles);
    free(gather->block);
    *gather = (struct gather){.capacity = gather->capacity};
}
