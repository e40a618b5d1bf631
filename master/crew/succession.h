/* succession.h -- what one crew leaves to the next, whose program is executed in the master's
 * place: the processes there are, and where to go on counting. Used by the master.
 *
 * master/takeover/handover.h carries it across.
 */
#ifndef MYGRPCADAPTER_MASTER_CREW_SUCCESSION_H
#define MYGRPCADAPTER_MASTER_CREW_SUCCESSION_H

#include <stddef.h>
#include <stdint.h>

/* A process that an earlier program forked and that still runs: it is our child, but of no slot.
 * Goes from one program to the next as it is: HANDOVER_VERSION in master/takeover/handover.c. */
struct elder {
    int64_t pid;
    uint64_t incarnation;
    uint64_t age_ms;
    /* From the order to end to SIGKILL; what is left of it, once it has the order. */
    uint64_t patience_ms;
    /* The slot that it had. */
    uint32_t slot;
    /* An enum role. */
    uint8_t role;
    /* 1 = it has been told to end. */
    uint8_t told;
    uint8_t unused[2];
};

struct succession {
    /* The first one to give out. */
    uint64_t next_incarnation;
    /* Allocated; NULL if there are none. */
    struct elder *elders;
    size_t elder_count;
};

#endif
