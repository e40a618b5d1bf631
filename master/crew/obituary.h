/* obituary.h -- the line in the log about every child that ended: who, how, how old, and what comes
 * next. Used by the master. */
#ifndef MYGRPCADAPTER_MASTER_CREW_OBITUARY_H
#define MYGRPCADAPTER_MASTER_CREW_OBITUARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct slot;

struct obituary {
    const char *event; /* "worker ended", say */
    uint32_t slot;
    pid_t pid;
    uint64_t incarnation;
    int status; /* as waitpid() gave it */
    uint64_t age_ms;
    uint32_t connections; /* that it served when it ended */
    bool draining;        /* it had been told to end */
};

/* Writes the line. `slot` is the state after slot_exited(). */
void obituary_write(const struct obituary *obituary, const struct slot *slot, uint64_t now_ms);

#endif
