/* departure.h -- when a worker that drains may send its GOAWAYs.
 *
 * At once, unless others take its place: then only when none of those that drain with it takes
 * connections any more, and a while longer. A client that loses its connection connects again at
 * once: if it met another worker that is about to drain, it would get a GOAWAY before it is through
 * with its handshake, take the server for broken, and fail calls. Runs in a worker, in the
 * acceptor's thread.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_DEPARTURE_H
#define MYGRPCADAPTER_WORKER_GRPC_DEPARTURE_H

#include <stdbool.h>
#include <stdint.h>

/* Why a worker drains. */
enum drain_reason {
    /* It was asked to stop. */
    DRAIN_ORDERED,
    /* New workers serve, and it is not needed any more. */
    DRAIN_REPLACED,
    /* The master is gone. */
    DRAIN_ORPHANED,
    DRAIN_REASON_COUNT,
};

struct departure {
    enum drain_reason reason;
    uint64_t began_ms;
    uint64_t deadline_ms;
    /* Since when no sibling takes connections; 0 = some do. */
    uint64_t alone_ms;
};

/* The drain begins, for calls under way to take `timeout_ms` at most, or as long as an orphan may.
 * Times are CLOCK_MONOTONIC. */
void departure_begin(struct departure *departure, enum drain_reason reason, uint64_t now_ms,
                     uint64_t timeout_ms);

/* There is another reason. One that is more urgent ends the wait for others; the deadline stays. */
void departure_hasten(struct departure *departure, enum drain_reason reason);

/* Whether the time has come, `siblings_take` being whether any worker takes connections now. To be
 * asked every few milliseconds until it has. */
bool departure_is_due(struct departure *departure, bool siblings_take, uint64_t now_ms);

/* What a person is told. */
const char *drain_reason_text(enum drain_reason reason);

#endif
