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

/* Zero it before use. */
struct batch {
    struct batch_origin *origins;
    struct iovec *payloads; /* as many */
    size_t count;
    size_t capacity;
};

/* Gives back the memory of an empty batch that was a large one: outputs have large ones in
 * turns. */
void batch_trim(struct batch *batch);

/* Adds a record; its payload must stay readable as long as it is in the batch. Returns 0 or
 * -ENOMEM. */
int batch_add(struct batch *batch, const struct batch_origin *origin, struct bytes payload);

/* Bytes of all payloads. */
uint64_t batch_bytes(const struct batch *batch);

/* Moves the record of that source at that offset to the front. Returns 0, or -ENOENT if it is not
 * in the batch. The order of one source's records is kept if it is that source's first. */
int batch_move_to_front(struct batch *batch, size_t source_index, uint64_t offset);

/* Gives the records from `first` on back to their sources (source_skip()) and empties the batch. */
void batch_give_back(struct batch *batch, size_t first);

/* Frees what the batch holds; leaves it empty. */
void batch_clear(struct batch *batch);

#endif
