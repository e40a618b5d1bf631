/* batch.h -- the records that wait for one output, in the order they are to be delivered. Runs in
 * the collector; a batch lives for one pass. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_BATCH_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "collector/input/source.h"

/* Where a record came from. */
struct batch_origin {
    struct source *source;
    struct segment_position at;
    uint64_t end_offset;  /* of the record behind it */
    uint64_t appended_ns; /* since the epoch; 0 = unknown */
};

/* Records of one source that stand one behind the other in a batch. */
struct batch_run {
    struct source *source;
    uint64_t end_offset; /* of the last of them */
};

/* Zero it before use. */
struct batch {
    struct batch_origin *origins;
    struct iovec *payloads; /* one for each origin */
    size_t count;
    size_t capacity;
    struct batch_run *runs;
    size_t run_count;
    size_t run_capacity;
    /* Of the last record; NULL if there is none. */
    const struct source *last_source;
};

/* Gives back the memory of an empty batch that was a large one: outputs have large ones in
 * turns. */
void batch_trim(struct batch *batch);

/* For batch_add() only: makes room for a record, and for a run of its source. Returns 0 or
 * -ENOMEM. */
int batch_make_room(struct batch *batch, struct source *source);

/* Adds a record; its payload must stay readable as long as it is in the batch. Returns 0 or
 * -ENOMEM. */
static inline int
batch_add(struct batch *batch, const struct batch_origin *origin, struct bytes payload)
{
    if (batch->count == batch->capacity || batch->last_source != origin->source) {
        int result = batch_make_room(batch, origin->source);
        if (result != 0)
            return result;
    }
    batch->runs[batch->run_count - 1].end_offset = origin->end_offset;
    batch->origins[batch->count] = *origin;
    batch->payloads[batch->count++] = (struct iovec){bytes_unconst(payload.data), payload.size};
    return 0;
}

/* Bytes of all payloads. */
uint64_t batch_bytes(const struct batch *batch);

/* Removes all records; keeps the memory. */
void batch_empty(struct batch *batch);

/* Removes the first `count` records. */
void batch_drop_first(struct batch *batch, size_t count);

/* Frees what the batch holds; leaves it empty. */
void batch_clear(struct batch *batch);

#endif
