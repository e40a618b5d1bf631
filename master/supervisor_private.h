/* supervisor_private.h -- what supervisor.c and supervisor_end.c share. Used by the master. */
#ifndef MYGRPCADAPTER_MASTER_SUPERVISOR_PRIVATE_H
#define MYGRPCADAPTER_MASTER_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "master/awake_clock.h"
#include "master/phase.h"
#include "master/supervisor.h"

struct crew;
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
uint64_t supervisor_now(struct supervisor *supervisor);

/* What a worker has between the order to drain and SIGKILL. */
uint64_t supervisor_worker_patience_ms(const struct supervisor *supervisor);

/* Begins to drain, unless it is too late for that. The program will end with that exit code, or
 * with another one that says what became of the drain. */
void supervisor_drain(struct supervisor *supervisor, int exit_code, const char *reason);

/* Tells everybody to end at once, unless that has been done. */
void supervisor_stop(struct supervisor *supervisor);

/* In DRAINING_WORKERS, DRAINING_COLLECTOR and STOPPING: takes the next step, if it is time for it.
 */
void supervisor_go_on_ending(struct supervisor *supervisor, uint64_t now_ms);

#endif
