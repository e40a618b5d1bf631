/* replay.c -- a second reader of a segment. Runs in the collector. */
#include "collector/input/replay.h"

#include <errno.h>

static int
read_to_end(struct segment_reader *reader, uint64_t end, replay_take take, void *context)
{
    for (;;) {
        struct segment_record record;
        struct segment_position at = segment_reader_position(reader);
        if (at.offset >= end)
            return 0;
        switch (segment_reader_next(reader, &record)) {
        case SEGMENT_NEXT_RECORD:
            break;
        case SEGMENT_NEXT_FAILED:
            return -EIO;
        case SEGMENT_NEXT_NONE:
        case SEGMENT_NEXT_SEALED:
        case SEGMENT_NEXT_DAMAGED:
            return -ENODATA;
        }
        int result = take(context, &record, at, segment_reader_position(reader).offset);
        if (result != 0)
            return result;
    }
}

int
replay_read(struct source_means *means, const struct source *source, uint64_t end, replay_take take,
            void *context)
{
    struct segment_reader *reader = NULL;
    int result = source_open_reader(means, source, &reader);
    if (result != 0)
        return result;
    result = read_to_end(reader, end, take, context);
    segment_reader_close(&reader);
    return result;
}
