/* backlog.h -- says how far the collector is while it works off more than one pass can hold: a line
 * every second, and one at the end. Runs in the collector. */
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

/* A pass has read so many bytes of segments, and so many records; `behind`: it stopped at its
 * bounds. `sources` is what there is to read. */
void backlog_note(struct backlog *backlog, uint64_t bytes, uint64_t records, bool behind,
                  const struct sources *sources);

#endif
