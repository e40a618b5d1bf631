/* status_report.h -- the scoreboard in words and tables. Runs in the process of `mygrpcadapter
 * status`. */
#ifndef MYGRPCADAPTER_COMMANDS_STATUS_STATUS_REPORT_H
#define MYGRPCADAPTER_COMMANDS_STATUS_STATUS_REPORT_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct scoreboard;

/* What is read at a time, so that two looks give rates. */
struct status_look {
    /* By CLOCK_REALTIME. */
    uint64_t at_ns;
    uint64_t calls;
    uint64_t instances;
    uint64_t text_bytes;
    uint64_t delivered_bytes;
};

/* Takes a look. */
void status_look_take(struct status_look *look, const struct scoreboard *scoreboard);

/* Writes how the adapter does whose master has that pid. `now` is a look just taken; with `before`,
 * an earlier one, the rates since then are written too; NULL: without rates. */
void status_report_write(FILE *out, const struct scoreboard *scoreboard, pid_t pid,
                         const struct status_look *now, const struct status_look *before);

#endif
