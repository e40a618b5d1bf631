/* phase.h -- where the adapter stands between its start and its end. Used by the master.
 *
 *   STARTING --every worker serves--> SERVING
 *            --no worker can, but old workers serve--> STUCK
 *   STARTING, SERVING, STUCK --TERM, INT, nobody can serve--> DRAINING_WORKERS
 *   DRAINING_WORKERS --all workers are gone--> DRAINING_COLLECTOR
 *   DRAINING_COLLECTOR --it ended--> STOPPING
 *   any of these --QUIT--> STOPPING
 *   STOPPING --all processes are gone--> ENDED
 *
 * HUP and USR2 have another program take over in STARTING, SERVING or STUCK:
 * master/takeover/reload.h.
 */
#ifndef MYGRPCADAPTER_MASTER_PHASE_H
#define MYGRPCADAPTER_MASTER_PHASE_H

#include <stdbool.h>

enum phase {
    PHASE_STARTING,
    PHASE_SERVING,
    PHASE_STUCK,
    PHASE_DRAINING_WORKERS,
    PHASE_DRAINING_COLLECTOR,
    PHASE_STOPPING,
    PHASE_ENDED,
    /* How many there are. */
    PHASES,
};

/* Whether `next` may follow `phase`. */
bool phase_may_become(enum phase phase, enum phase next);

/* Changes *phase. That `next` may follow is an invariant. */
void phase_enter(enum phase *phase, enum phase next);

#endif
