/* status_report.h -- the scoreboard in words and tables. */
#ifndef MYGRPCADAPTER_COMMANDS_STATUS_STATUS_REPORT_H
#define MYGRPCADAPTER_COMMANDS_STATUS_STATUS_REPORT_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct scoreboard;

/* What two looks differ by. */
struct status_look {
    uint64_t at_ns; /* CLOCK_REALTIME */
    uint64_t calls;
    uint64_t instances;
    uint64_t text_bytes;
    uint64_t delivered_bytes;
};

/* Takes a look, for the rates of the next report. */
void status_look_take(struct status_look *look, const struct scoreboard *scoreboard);

/* Writes how the adapter with that master does; with `before`, rates since then too. */
void status_report_write(FILE *out, const struct scoreboard *scoreboard, pid_t pid,
                         const struct status_look *now, const struct status_look *before);

#endif
