/* output_index.c -- open addressing with linear probing; outputs leave it all at once, so there are
 * no graves. Runs in the collector. */
#include "collector/output/output_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "collector/output/output.h"

#define CAPACITY_MIN 64

/* There is a free entry, and no output that is in the table already. */
static void
put(struct output_index *index, struct output_index_entry entry)
{
    size_t at = entry.hash & (index->capacity - 1);
    while (index->entries[at].output != NULL)
        at = (at + 1) & (index->capacity - 1);
    INVARIANT(index->count < index->capacity);
    index->entries[at] = entry;
    index->count++;
}

static int
grow(struct output_index *index)
{
    struct output_index larger = {0};
    larger.capacity = index->capacity == 0 ? CAPACITY_MIN : index->capacity * 2;
    larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
    if (larger.entries == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->entries[i].output != NULL)
            put(&larger, index->entries[i]);
    }
    output_index_clear(index);
    *index = larger;
    return 0;
}

int
output_index_add(struct output_index *index, struct output *output)
{
    if ((index->count + 1) * 2 >= index->capacity) {
        int result = grow(index);
        if (result != 0)
            return result;
    }
    put(index, (struct output_index_entry){output_hash(output), output});
    return 0;
}

struct output *
output_index_find(struct output_index *index, enum segment_kind kind, struct bytes name)
{
    if (index->last != NULL && output_is(index->last, kind, name))
        return index->last;
    if (index->capacity == 0)
        return NULL;
    uint64_t hash = output_name_hash(kind, name);
    size_t mask = index->capacity - 1;
    for (size_t at = hash & mask; index->entries[at].output != NULL; at = (at + 1) & mask) {
        struct output *output = index->entries[at].output;
        if (index->entries[at].hash == hash && output_is(output, kind, name)) {
            index->last = output;
            return output;
        }
    }
    return NULL;
}

void
output_index_empty(struct output_index *index)
{
    if (index->capacity > 0)
        memset(index->entries, 0, index->capacity * sizeof(*index->entries));
    index->count = 0;
    index->last = NULL;
}

void
output_index_clear(struct output_index *index)
{
    free(index->entries);
    *index = (struct output_index){0};
}
