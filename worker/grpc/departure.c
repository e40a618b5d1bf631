/* departure.c -- counts the time until a worker that drains may send its GOAWAYs. Runs in a worker,
 * in the acceptor's thread; makes no system call. */
#include "worker/grpc/departure.h"

#include "base/invariant.h"

/* Without a master, so long at most for calls under way. */
#define ORPHAN_DRAIN_MS 1000

/* Siblings that go on to take connections are waited for so long at most. */
#define SIBLINGS_MS_MAX 1000

/* A client that has just connected is through with its handshake after so long. */
#define HANDSHAKE_MS 500

static const char *const reason_texts[] = {
    [DRAIN_ORDERED] = "asked to stop",
    [DRAIN_REPLACED] = "replaced by new workers",
    [DRAIN_ORPHANED] = "the master is gone",
};

_Static_assert(sizeof(reason_texts) / sizeof(reason_texts[0]) == DRAIN_REASON_COUNT,
               "every reason has a text");

void
departure_begin(struct departure *departure, enum drain_reason reason, uint64_t now_ms,
                uint64_t timeout_ms)
{
    INVARIANT(departure->deadline_ms == 0); /* only once */
    if (reason == DRAIN_ORPHANED)
        timeout_ms = ORPHAN_DRAIN_MS;
    *departure = (struct departure){
        .reason = reason, .began_ms = now_ms, .deadline_ms = now_ms + timeout_ms};
}

void
departure_hasten(struct departure *departure, enum drain_reason reason)
{
    INVARIANT(departure->deadline_ms > 0);
    if (departure->reason == DRAIN_REPLACED)
        departure->reason = reason;
}

bool
departure_is_due(struct departure *departure, bool siblings_take, uint64_t now_ms)
{
    INVARIANT(now_ms >= departure->began_ms);
    if (departure->reason != DRAIN_REPLACED || now_ms >= departure->deadline_ms)
        return true;
    if (siblings_take && now_ms < departure->began_ms + SIBLINGS_MS_MAX) {
        departure->alone_ms = 0;
        return false;
    }
    if (departure->alone_ms == 0)
        departure->alone_ms = now_ms;
    return now_ms >= departure->alone_ms + HANDSHAKE_MS;
}

const char *
drain_reason_text(enum drain_reason reason)
{
    INVARIANT(reason < DRAIN_REASON_COUNT);
    return reason_texts[reason];
}
