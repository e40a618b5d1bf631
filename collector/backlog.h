/* backlog.h -- says how far the collector is while it works off more than one pass can hold: a line every second, and
 * one at the end. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_BACKLOG_H
#define MYGRPCADAPTER_COLLECTOR_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct sources;

/* Zero it before use; the fields are for backlog.c. */
struct backlog {
    uint64_t begun_ms; /* 0 = there is none */
    uint64_t next_line_ms;
    uint64_t merged_bytes; /* of segments, since it began */
    uint64_t records;
};

/* What is still to be read of segments that nobody writes any more. */
struct backlog_rest {
    uint64_t bytes;
    uint64_t segments;
};

struct backlog_rest backlog_count_rest(const struct sources *sources);

/* A pass has read so many bytes of segments, and so many records; `behind`: it stopped at its bounds. */
void backlog_note(struct backlog *backlog, uint64_t bytes, uint64_t records, bool behind,
                  const struct backlog_rest *rest);

#endif
