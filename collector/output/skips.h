/* skips.h -- where one output passed over records while it was blocked, by source. Runs in the
 * collector; kept by output.c.
 *
 * Without it one output that comes and goes would have every source read again what others, which
 * refuse for hours, have passed over.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_SKIPS_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_SKIPS_H

#include <stddef.h>

#include "collector/input/source.h"

/* Zero it before use; the fields are for skips.c. */
struct skips {
    /* By the index of a source: the first record passed over; offset 0 = none was. */
    struct segment_position *first;
    size_t count;
};

/* A new source: nothing of it is passed over. Returns 0 or -ENOMEM. */
int skips_meet(struct skips *skips, const struct source *source);

/* A record of a source that was met is passed over; the source is told by source_skip(). */
void skips_add(struct skips *skips, const struct source *source, struct segment_position at);

/* The first record of a source, which was met, that is passed over; offset 0 = none is. */
struct segment_position skips_get(const struct skips *skips, const struct source *source);

/* Nothing of a source, which was met, is passed over any more: it will be read again. */
void skips_take(struct skips *skips, const struct source *source);

/* Frees what it holds. */
void skips_clear(struct skips *skips);

#endif
