/* sources.h -- the segments there are to merge, and how far each has been read.
 *
 * Keeps the list of the segment directory's files up to date: finds new ones, takes over those
 * whose writer died, sets damaged ones aside. Runs in the collector, which is the only process that
 * removes or renames sealed segments.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_INPUT_SOURCES_H
#define MYGRPCADAPTER_COLLECTOR_INPUT_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "segment/segment_reader.h"
#include "segment/segment_window.h"

/* What cannot be read for so long is taken for damage: a disk that is asked again may yet answer. */
#define SOURCE_FAILING_MS 5000

struct source {
    struct segment_facts facts;
    size_t index; /* of this source among all, stable as long as it lives; small, and given out
                     again afterwards */
    bool met;     /* all outputs know of it */
    bool final;   /* the writer is gone: what cannot be read now never will be */
    bool ended;   /* final, and read to its end or to its damage */
    bool held;    /* a segment before it in its incarnation cannot be read now, and may yet be */
    const char *damage;               /* why it goes to quarantine, a literal; NULL = it does not */
    bool retired;                     /* its file is out of the way */
    uint64_t missing_since_ms;        /* not seen in the directory since; 0 = seen */
    uint64_t failing_since_ms;        /* cannot be read at its position since; 0 = it can */
    struct segment_reader *reader;    /* NULL while nothing is to be read */
    struct segment_position position; /* of the next record to look at */
    struct segment_position
        skipped; /* of the first record passed over for a blocked output; offset 0 = none */
};

struct sources {
    int directory_fd;     /* borrowed */
    bool durable;         /* what is removed must be gone from the disk before it is forgotten */
    struct source **list; /* ordered by segment_identity_compare() */
    size_t count;
    size_t capacity;
    struct segment_window window; /* what all readers see through, in turns */
    size_t index_end;             /* every index is below */
    size_t *free_indexes;         /* below index_end, had by no source now */
    size_t free_count;
    size_t free_capacity;
    size_t unreadable; /* files that could not be read when the directory was last looked at */
    uint64_t unreadable_since_ms; /* 0 = there are none */
    uint64_t quarantined;         /* since the start of the process */
    struct log_brake stuck_brake;
    struct log_brake failing_brake;
};

void sources_init(struct sources *sources, int directory_fd, bool durable);

/* Brings the list up to date with the directory. Returns 0, or a negative errno if the directory
 * could not be seen as a whole; then nothing must be merged before a later call succeeds, since
 * what is not seen cannot be accounted for. */
int sources_refresh(struct sources *sources, uint64_t now_ms);

/* Reads the next record of a source. Opens it where needed and follows its writer; at the end of a
 * final source sets `ended`. Returns SEGMENT_NEXT_RECORD or SEGMENT_NEXT_NONE. *at_r receives the
 * record's own position. The record's bytes are good until the next call. */
enum segment_next source_next(struct sources *sources, struct source *source,
                              struct segment_record *record_r, struct segment_position *at_r);

/* Ends a source's turn. A file that nobody writes any more is closed until its next turn, so that a great
 * many of them need not be open at once. */
void source_pause(struct source *source);

/* Notes that the record at `at` was passed over and must be looked at again. */
void source_skip(struct source *source, struct segment_position at);

/* Goes back to the first record passed over, if there is one. */
void source_rewind(struct source *source);

/* Bytes of the file, at most, that hold what is not delivered: of an open segment nothing but what was
 * passed over, since the rest is read as soon as it is written. */
uint64_t source_unmerged_bytes(const struct source *source);

/* Removes the files of ended sources with nothing passed over
 * (damaged ones go to quarantine) and forgets them, calling `forget(context, index)` for each. With
 * `durable` the disk has forgotten them first: an output's ledger must know of a segment as long as a
 * loss of power could bring it back. */
void sources_retire(struct sources *sources, void (*forget)(void *context, size_t index),
                    void *context);

/* Lets go of what an idle collector does not need. */
void sources_trim(struct sources *sources);

/* Frees all of it; leaves the files alone. */
void sources_clear(struct sources *sources);

#endif
