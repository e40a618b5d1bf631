/* crew_private.h -- what crew.c and crew_orders.c share. Used by the master. */
#ifndef MYGRPCADAPTER_MASTER_CREW_CREW_PRIVATE_H
#define MYGRPCADAPTER_MASTER_CREW_CREW_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/role.h"
#include "master/crew/crew.h"
#include "master/crew/elders.h"
#include "master/crew/slot.h"

struct member {
    enum role role;
    struct slot slot;
    /* -1 once the child has said that it is ready. */
    int ready_fd;
    sd_event_source *ready_source;
};

struct crew {
    const struct heritage *common;
    sd_event *loop;
    struct slot_rules rules[ROLES];
    uint64_t next_incarnation;
    enum crew_end collector_end;
    struct elders *elders;
    uint32_t count;
    /* A member's index is its slot in the scoreboard. */
    struct member members[];
};

/* Forks the process of a slot in BACKOFF. */
void crew_spawn(struct crew *crew, uint32_t index, uint64_t now_ms);

#endif
