/* batch.c -- a growing list of records on their way to one output. Runs in the collector. */
#include "collector/output/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_RECORDS 1024

int
batch_add(struct batch *batch, const struct batch_origin *origin, struct bytes payload)
{
    if (batch->count == batch->capacity) {
        size_t larger = batch->capacity == 0 ? 256 : batch->capacity * 2;
        struct batch_origin *origins = realloc(batch->origins, larger * sizeof(*origins));
        if (origins == NULL)
            return -ENOMEM;
        batch->origins = origins;
        struct iovec *payloads = realloc(batch->payloads, larger * sizeof(*payloads));
        if (payloads == NULL)
            return -ENOMEM;
        batch->payloads = payloads;
        batch->capacity = larger;
    }
    batch->origins[batch->count] = *origin;
    batch->payloads[batch->count] = (struct iovec){bytes_unconst(payload.data), payload.size};
    batch->count++;
    return 0;
}

void
batch_trim(struct batch *batch)
{
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
