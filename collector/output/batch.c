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

int
batch_add(struct batch *batch, const struct batch_origin *origin, struct bytes payload)
{
    int result = batch->count == batch->capacity ? grow(batch) : 0;
    if (result != 0)
        return result;
    batch->origins[batch->count] = *origin;
    batch->payloads[batch->count] = (struct iovec){bytes_unconst(payload.data), payload.size};
    batch->count++;
    return 0;
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

int
batch_move_to_front(struct batch *batch, size_t source_index, uint64_t offset)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_origin origin = batch->origins[i];
        struct iovec payload = batch->payloads[i];
        if (origin.source->index != source_index || origin.at.offset != offset)
            continue;
        memmove(batch->origins + 1, batch->origins, i * sizeof(origin));
        memmove(batch->payloads + 1, batch->payloads, i * sizeof(payload));
        batch->origins[0] = origin;
        batch->payloads[0] = payload;
        return 0;
    }
    return -ENOENT;
}

void
batch_give_back(struct batch *batch, size_t first)
{
    INVARIANT(first <= batch->count);
    for (size_t i = first; i < batch->count; i++)
        source_skip(batch->origins[i].source, batch->origins[i].at);
    batch->count = 0;
}

void
batch_clear(struct batch *batch)
{
    free(batch->origins);
    free(batch->payloads);
    *batch = (struct batch){0};
}
