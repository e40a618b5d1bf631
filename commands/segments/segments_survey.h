/* segments_survey.h -- reads one segment file from its first record to its end, and says what it
 * found.
 *
 * A file that is written meanwhile may seem to have a later record and not the one before it.
 * Records are published in their order, so what is missing or wrong in one look and in another
 * begun after it is damage, and what only one look shows is not. It needs no knowledge of whether
 * the writer lives.
 *
 * Runs in the process of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_SURVEY_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "segment/segment_format.h"
#include "segment/segment_reader.h"

/* Takes one record, which stands at `at`; name and payload are good during the call only. */
typedef int segments_take(void *context, const struct segment_facts *facts,
                          const struct segment_record *record, struct segment_position at);

struct segments_survey {
    uint64_t records;       /* that are whole */
    uint64_t payload_bytes; /* in them */
    const char *damage;     /* NULL: none */
    uint64_t damage_offset;
};

/* Reads the open segment file `fd` and has `take` take each of its records, in order and once; what
 * `take` returns other than 0 ends it. Returns 0, also for a damaged file; what `take` returned; or
 * a negative errno if the file cannot be read. */
int segments_survey_file(struct segments_survey *survey_r, int fd,
                         const struct segment_identity *identity, segments_take *take,
                         void *context);

#endif
