/* batch_reading.c -- reads records of one output again. Runs in the collector. */
#include "collector/output/batch_reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "collector/input/replay.h"

/* Takes a record of the output. Its text is found when all of them are there. */
static int
take_record(void *context, const struct segment_record *record, struct segment_position at,
            uint64_t end_offset)
{
    struct batch_reading *reading = context;
    if (at.offset < reading->before || record->kind != reading->kind ||
        !bytes_equal(record->name, reading->name))
        return 0;
    if (reading->texts_max != 0 && reading->texts_size >= reading->texts_max)
        return -ENOBUFS;
    int result = ARRAY_RESERVE(reading->texts, reading->texts_capacity,
                               reading->texts_size + record->payload.size);
    if (result != 0)
        return result;
    memcpy(reading->texts + reading->texts_size, record->payload.data, record->payload.size);
    reading->texts_size += record->payload.size;
    return batch_add(&reading->batch,
                     &(struct batch_origin){reading->source, at, end_offset, record->appended_ns},
                     (struct bytes){NULL, record->payload.size});
}

int
batch_reading_add(struct batch_reading *reading, struct sources *sources,
                  const struct ledger_position *run)
{
    reading->source = sources_find_id(sources, &run->id);
    reading->before = run->before;
    if (reading->source == NULL)
        return sources_is_gone(sources, &run->identity) ? 0 : -EAGAIN;
    int result = replay_read(&sources->means, reading->source, run->after, take_record, reading);
    if (result != -ENODATA)
        return result;
    log_write(LOG_LEVEL_WARNING, "records of an unfinished batch are lost with the power",
              LOG_FIELDS(log_string("output", reading->log_name)));
    return 0;
}

void
batch_reading_end(struct batch_reading *reading)
{
    char *at = reading->texts; /* they stand one behind the other */
    for (size_t i = 0; i < reading->batch.count; i++) {
        reading->batch.payloads[i].iov_base = at;
        at += reading->batch.payloads[i].iov_len;
    }
}

void
batch_reading_clear(struct batch_reading *reading)
{
    batch_clear(&reading->batch);
    free(reading->texts);
}
