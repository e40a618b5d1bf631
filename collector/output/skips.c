/* skips.c -- an array by source. Runs in the collector. */
#include "collector/output/skips.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/invariant.h"

int
skips_meet(struct skips *skips, const struct source *source)
{
    size_t before = skips->count;
    int result = ARRAY_RESERVE(skips->first, skips->count, source->index + 1);
    if (result != 0)
        return result;
    for (size_t i = before; i < skips->count; i++)
        skips->first[i] = (struct segment_position){0, 0};
    skips_take(skips, source);
    return 0;
}

void
skips_add(struct skips *skips, const struct source *source, struct segment_position at)
{
    INVARIANT(source->index < skips->count && at.offset != 0);
    struct segment_position *first = &skips->first[source->index];
    if (first->offset == 0 || at.offset < first->offset)
        *first = at;
}

struct segment_position
skips_get(const struct skips *skips, const struct source *source)
{
    INVARIANT(source->index < skips->count);
    return skips->first[source->index];
}

void
skips_take(struct skips *skips, const struct source *source)
{
    INVARIANT(source->index < skips->count);
    skips->first[source->index] = (struct segment_position){0, 0};
}

void
skips_clear(struct skips *skips)
{
    free(skips->first);
    *skips = (struct skips){0};
}
