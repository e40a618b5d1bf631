/* phase.c -- which phase may follow which. Runs in the master. */
#include "master/phase.h"

#include "base/invariant.h"

#define TO(phase) (1U << (phase))
#define TO_AN_END (TO(PHASE_DRAINING_WORKERS) | TO(PHASE_STOPPING))

static const unsigned successors[] = {
    [PHASE_STARTING] = TO(PHASE_SERVING) | TO(PHASE_STUCK) | TO_AN_END,
    [PHASE_SERVING] = TO_AN_END,
    [PHASE_STUCK] = TO_AN_END,
    [PHASE_DRAINING_WORKERS] = TO(PHASE_DRAINING_COLLECTOR) | TO(PHASE_STOPPING),
    [PHASE_DRAINING_COLLECTOR] = TO(PHASE_STOPPING),
    [PHASE_STOPPING] = TO(PHASE_ENDED),
    [PHASE_ENDED] = 0,
};

_Static_assert(sizeof(successors) / sizeof(successors[0]) == PHASES, "each phase has successors");

bool
phase_may_become(enum phase phase, enum phase next)
{
    INVARIANT((unsigned)phase < PHASES && (unsigned)next < PHASES);
    return (successors[phase] & TO(next)) != 0;
}

void
phase_enter(enum phase *phase, enum phase next)
{
    INVARIANT(phase_may_become(*phase, next));
    *phase = next;
}
