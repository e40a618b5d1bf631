/* crew_private.h -- what crew.c and crew_orders.c share. */
#ifndef MYGRPCADAPTER_MASTER_CREW_CREW_PRIVATE_H
#define MYGRPCADAPTER_MASTER_CREW_CREW_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "master/crew/crew.h"
#include "master/crew/elders.h"
#include "master/crew/slot.h"

struct member {
    struct slot slot;
    int ready_fd; /* -1 once the child has said that it is ready */
    sd_event_source *ready_source;
};

struct crew {
    const struct heritage *common;
    sd_event *loop;
    struct slot_rules worker_rules;
    struct slot_rules collector_rules;
    struct slot_rules admin_rules;
    uint64_t next_incarnation;
    enum crew_end collector_end;
    struct elders *elders;
    uint32_t count; /* of members: the workers, the collector, perhaps the admin process */
    struct member members[];
};

/* Whether that member is the collector. */
bool crew_is_collector(const struct crew *crew, uint32_t index);

/* Forks the process of a slot in BACKOFF. */
void crew_spawn(struct crew *crew, uint32_t index, uint64_t now_ms);

#endif
