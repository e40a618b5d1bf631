/* obituary.h -- the line in the log about every child that ended: who, how, how old, and what comes
 * next. Used by the master. */
#ifndef MYGRPCADAPTER_MASTER_CREW_OBITUARY_H
#define MYGRPCADAPTER_MASTER_CREW_OBITUARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/role.h"
#include "common/slot_state.h"
#include "master/crew/slot.h"

struct obituary {
    enum role role;
    /* It was of the program before. */
    bool is_old;
    uint32_t slot;
    pid_t pid;
    uint64_t incarnation;
    /* As waitpid() gave it. */
    int status;
    /* Why we ended it, if we did. */
    enum slot_doom doom;
    uint64_t age_ms;
    /* That it served when it ended. */
    uint32_t connections;
    /* It had been told to end. */
    bool draining;
    /* The state of its slot after slot_exited(), and, in BACKOFF, how long that takes. EMPTY if
     * nobody comes next. */
    enum slot_state next_state;
    uint64_t next_in_ms;
};

/* Writes the line. */
void obituary_write(const struct obituary *obituary);

#endif
