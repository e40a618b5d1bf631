/* drain.c -- the phases of a server's drain. In a worker, called by the acceptor's thread and the
 * main one; touches no gRPC. */
#include "worker/grpc/drain.h"

#include "base/invariant.h"

/* So long after the deadline, connections that will not end are left behind. */
#define CUT_GRACE_MS 1000

/* True if it was this call that brought the drain to `next`, or past what is before it. */
static bool
advance(struct drain *drain, enum drain_phase next)
{
    uint32_t phase = atomic_load(&drain->phase);
    while (phase < (uint32_t)next) {
        if (atomic_compare_exchange_weak(&drain->phase, &phase, (uint32_t)next))
            return true;
    }
    return false;
}

static void
set_deadline(struct drain *drain, uint64_t deadline_ms)
{
    uint64_t none = 0;
    INVARIANT(deadline_ms > 0);
    (void)atomic_compare_exchange_strong(&drain->deadline_ms, &none, deadline_ms);
}

void
drain_retire(struct drain *drain, uint64_t deadline_ms)
{
    set_deadline(drain, deadline_ms);
    (void)advance(drain, DRAIN_RETIRING);
}

bool
drain_begin(struct drain *drain, uint64_t deadline_ms)
{
    set_deadline(drain, deadline_ms);
    return advance(drain, DRAIN_GOING);
}

bool
drain_finish(struct drain *drain)
{
    INVARIANT(drain_phase(drain) != DRAIN_SERVING);
    return advance(drain, DRAIN_FINISHING);
}

void
drain_end(struct drain *drain)
{
    INVARIANT(drain_phase(drain) == DRAIN_FINISHING);
    (void)advance(drain, DRAIN_OVER);
}

enum drain_verdict
drain_look(struct drain *drain, uint64_t now_ms)
{
    enum drain_phase phase = drain_phase(drain);
    if (phase < DRAIN_GOING || phase == DRAIN_OVER)
        return DRAIN_GOES_ON;
    uint64_t deadline_ms = atomic_load(&drain->deadline_ms);
    if (now_ms < deadline_ms)
        return DRAIN_GOES_ON;
    if (!drain->cut) {
        drain->cut = true;
        return DRAIN_CUTS;
    }
    return now_ms >= deadline_ms + CUT_GRACE_MS ? DRAIN_IS_HOPELESS : DRAIN_GOES_ON;
}
