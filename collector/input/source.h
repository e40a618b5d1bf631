/* source.h -- one segment that is to be merged, and how far it has been read. Runs in the
 * collector; kept by sources.c. */
#ifndef MYGRPCADAPTER_COLLECTOR_INPUT_SOURCE_H
#define MYGRPCADAPTER_COLLECTOR_INPUT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "segment/segment_reader.h"
#include "segment/segment_window.h"

/* A segment that cannot be read holds up those behind it in its incarnation for so long, for the
 * sake of their order. It itself waits until it can be read. */
#define SOURCE_FAILING_MS 5000

/*     FOLLOWED ──▶ FINAL ──▶ ENDED ──▶ RETIRED
 *                    ▲         │
 *                    └─────────┘ something was passed over and is read again
 */
enum source_phase {
    /* Its writer lives, as far as is known. */
    SOURCE_FOLLOWED,
    /* Its writer is gone: what cannot be read now never will be. */
    SOURCE_FINAL,
    /* It has been read to its end, or to its damage. */
    SOURCE_ENDED,
    /* Its file is out of the way. */
    SOURCE_RETIRED,
};

struct source {
    struct segment_facts facts;
    /* Which source this is. Indexes are small and stay the same as long as the source lives;
     * afterwards they are given out again. */
    size_t index;
    enum source_phase phase;
    /* All outputs know of it. */
    bool met;
    /* A segment before it in its incarnation cannot be read now, and may yet be. */
    bool held;
    /* Why it goes to quarantine/, a literal; NULL = it does not. Only of one that has ended. */
    const char *damage;
    /* Since when it is not seen in the directory; 0 = it was seen. */
    uint64_t missing_since_ms;
    /* Since when it cannot be read at its position; 0 = it can. */
    uint64_t failing_since_ms;
    /* What was read before that offset is on the disk. */
    uint64_t synced_offset;
    /* NULL while nothing is to be read. */
    struct segment_reader *reader;
    /* Of the next record to look at. */
    struct segment_position position;
    /* Of the first record that was passed over for an output that refuses; offset 0 = none was. */
    struct segment_position skipped;
};

/* What all sources are read with, in turns. Zero it before use, but for the descriptor. */
struct source_means {
    /* Borrowed: the segment directory. */
    int directory_fd;
    struct segment_window window;
    struct log_brake failing_brake;
};

static inline bool
source_is_final(const struct source *source)
{
    return source->phase != SOURCE_FOLLOWED;
}

static inline bool
source_has_ended(const struct source *source)
{
    return source->phase == SOURCE_ENDED || source->phase == SOURCE_RETIRED;
}

/* True if it has ended with nothing passed over: nobody needs its file any more. */
static inline bool
source_is_done(const struct source *source)
{
    return source->phase == SOURCE_ENDED && source->skipped.offset == 0;
}

/* Opens a reader of the source's file, at its beginning. Returns 0 or a negative errno (-ENOENT: it
 * has neither of its names); the caller owns *out. */
int source_open_reader(struct source_means *means, const struct source *source,
                       struct segment_reader **out);

/* Reads the next record of a source. Opens it where needed and follows its writer; at the end of a
 * final source it has ended. Returns SEGMENT_NEXT_RECORD or SEGMENT_NEXT_NONE. *at_r receives the
 * record's own position. The record's bytes are good until the next call. */
enum segment_next source_next(struct source_means *means, struct source *source,
                              struct segment_record *record_r, struct segment_position *at_r);

/* Waits until the disk has what was read: before it is on its way, a loss of power must not take
 * it. */
void source_sync(struct source *source);

/* Ends a source's turn. A file that nobody writes any more is closed until its next turn, so that a
 * great many of them need not be open at once. */
void source_pause(struct source *source);

/* Its writer is known to be gone, or its file to be removed by somebody else. May be said again. */
void source_note_final(struct source *source);

/* Its file is out of the way; it was done. */
void source_note_retired(struct source *source);

/* Notes that the record at `at` was passed over and must be looked at again. */
void source_skip(struct source *source, struct segment_position at);

/* Goes back to the record at `to`, which was passed over, unless it is before it already. What is
 * passed over from now on begins at `kept`; with offset 0 nothing is. */
void source_rewind(struct source *source, struct segment_position to, struct segment_position kept);

/* Of what was passed over, only what begins at `kept` is needed still; with offset 0, nothing. */
void source_keep(struct source *source, struct segment_position kept);

/* Bytes of the file, at most, that hold what is not delivered. While the writer lives, only what
 * was passed over counts: the rest is read as soon as it is written. */
uint64_t source_unmerged_bytes(const struct source *source);

#endif
