/* supervisor_state.h -- what a supervisor knows, for supervisor.c, which serves, and
 * supervisor_end.c, which comes to an end. Used by the master. */
#ifndef MYGRPCADAPTER_MASTER_SUPERVISOR_STATE_H
#define MYGRPCADAPTER_MASTER_SUPERVISOR_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "master/awake_clock.h"
#include "master/phase.h"

struct crew;
struct heritage;
struct listener;
struct reload;

struct supervisor {
    const struct heritage *common;
    struct listener **listener;
    struct crew *crew;
    struct reload *reload;
    sd_event *loop;
    sd_event_source *timer;
    struct awake_clock clock;
    enum phase phase;
    /* This program was executed in place of one that served: old workers serve until the crew
     * does. */
    bool taking_over;
    uint64_t began_ms;
    int exit_code;
    /* How many collectors were told to merge what is left, and until when they may. */
    uint32_t collector_drains;
    uint64_t collector_kill_at_ms;
};

/* The time by the supervisor's clock. */
static inline uint64_t
supervisor_now(struct supervisor *supervisor)
{
    return awake_clock_now(&supervisor->clock, clock_monotonic_ms());
}

#endif
