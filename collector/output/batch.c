/* batch.c -- a growing list of records on their way to one output. Runs in the collector. */
#include "collector/output/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"

#define CAPACITY_MIN 256

/* An empty batch with room for more is given back. */
#define KEPT_RECORDS 1024

/* Makes room in a batch that is full. */
static int
grow(struct batch *batch)
{
    size_t larger = batch->capacity == 0 ? CAPACITY_MIN : batch->capacity * 2;
    size_t origin_capacity = batch->capacity;
    size_t payload_capacity = origin_capacity;
    int result = ARRAY_RESERVE(batch->origins, origin_capacity, larger);
    if (result == 0)
        result = ARRAY_RESERVE(batch->payloads, payload_capacity, larger);
    if (result == 0)
        batch->capacity = larger;
    return result;
}

/* Begins a run, unless the last one is of that source. Returns 0 or -ENOMEM. */
static int
begin_run(struct batch *batch, struct source *source)
{
    if (batch->last_source == source)
        return 0;
    int result = ARRAY_RESERVE(batch->runs, batch->run_capacity, batch->run_count + 1);
    if (result != 0)
        return result;
    batch->runs[batch->run_count++].source = source;
    batch->last_source = source;
    return 0;
}

int
batch_make_room(struct batch *batch, struct source *source)
{
    int result = batch->count == batch->capacity ? grow(batch) : 0;
    return result == 0 ? begin_run(batch, source) : result;
}

void
batch_trim(struct batch *batch)
{
    INVARIANT(batch->count == 0);
    if (batch->capacity > KEPT_RECORDS)
        batch_clear(batch);
}

uint64_t
batch_bytes(const struct batch *batch)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < batch->count; i++)
        bytes += batch->payloads[i].iov_len;
    return bytes;
}

void
batch_empty(struct batch *batch)
{
    batch->count = 0;
    batch->run_count = 0;
    batch->last_source = NULL;
}

void
batch_drop_first(struct batch *batch, size_t count)
{
    INVARIANT(count <= batch->count);
    if (count == 0)
        return;
    batch->count -= count;
    memmove(batch->origins, batch->origins + count, batch->count * sizeof(*batch->origins));
    memmove(batch->payloads, batch->payloads + count, batch->count * sizeof(*batch->payloads));
    batch->run_count = 0;
    batch->last_source = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        INVARIANT(begin_run(batch, batch->origins[i].source) == 0); /* they had room before */
        batch->runs[batch->run_count - 1].end_offset = batch->origins[i].end_offset;
    }
}

void
batch_clear(struct batch *batch)
{
    free(batch->origins);
    free(batch->payloads);
    free(batch->runs);
    *batch = (struct batch){0};
}
