/* metrics_text.h -- the scoreboard in Prometheus' text format. Runs in the admin process; keeps
 * nothing. */
#ifndef MYGRPCADAPTER_ADMIN_METRICS_TEXT_H
#define MYGRPCADAPTER_ADMIN_METRICS_TEXT_H

#include <stdint.h>
#include <stdio.h>

struct scoreboard;

/* Bytes free for the adapter on the volumes it writes to. */
struct metrics_room {
    uint64_t output_bytes;
    uint64_t segments_bytes;
};

/* Writes every metric, HELP and TYPE before each, to `out`; `now_ns` is CLOCK_REALTIME. */
void metrics_text_write(FILE *out, const struct scoreboard *scoreboard,
                        const struct metrics_room *room, uint64_t now_ns);

#endif
