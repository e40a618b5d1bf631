/* batch_reading.h -- a batch that is read again from the segments: what was left unfinished, or is
 * to be set aside. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_BATCH_READING_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_BATCH_READING_H

#include <stddef.h>
#include <stdint.h>

#include "collector/input/sources.h"
#include "collector/output/batch.h"
#include "segment/ledger_format.h"

/* Zero it before use, but for what is said of a field; the batch is for the caller, once
 * batch_reading_end() was called. */
struct batch_reading {
    /* Whose records are read; the names, one of them for the log, are borrowed. The caller sets
     * them. */
    enum segment_kind kind;
    struct bytes name;
    const char *log_name;
    /* No record is begun behind so many bytes of text. The caller sets it; 0 = there is no bound.
     */
    size_t texts_max;
    struct batch batch;
    /* What follows is for batch_reading.c. */
    struct source *source;
    uint64_t before;
    char *texts;
    size_t texts_size;
    size_t texts_capacity;
};

/* Adds the records of the output that stand in one segment from `before` to `after`. A segment that
 * is gone has none: they are delivered. Returns 0; -ENOBUFS if the bound was reached first; -EAGAIN
 * if the segment is there and cannot be read now; or another negative errno. */
int batch_reading_add(struct batch_reading *reading, struct sources *sources,
                      const struct ledger_position *run);

/* All that was wanted has been added: the payloads of the batch are good from now on, as long as
 * the reading. */
void batch_reading_end(struct batch_reading *reading);

/* Frees what it holds. */
void batch_reading_clear(struct batch_reading *reading);

#endif
