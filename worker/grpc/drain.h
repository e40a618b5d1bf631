/* drain.h -- how far a server's drain has come, and by when it must be through.
 *
 * The acceptor's thread begins the drain and says when no connection is left; the main thread asks
 * how far it is at every turn of its loop, and cuts off what is left at the deadline.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_DRAIN_H
#define MYGRPCADAPTER_WORKER_GRPC_DRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In this order; one may be left out, none comes again. */
enum drain_phase {
    DRAIN_SERVING,
    /* The drain is to begin in a pause of the answers. */
    DRAIN_RETIRING,
    /* Every connection has been sent a GOAWAY; calls are taken until clients have seen it. */
    DRAIN_GOING,
    /* No further call is taken. */
    DRAIN_FINISHING,
    /* gRPC has shut the server down. */
    DRAIN_OVER,
};

struct drain {
    /* An enum drain_phase. */
    _Atomic uint32_t phase;
    /* CLOCK_MONOTONIC; set before the phase leaves DRAIN_SERVING, and only once. */
    _Atomic uint64_t deadline_ms;
    /* What was left at the deadline has been cut off. The main thread's. */
    bool cut;
};

/* What is to be done now. */
enum drain_verdict { DRAIN_GOES_ON, DRAIN_CUTS, DRAIN_IS_HOPELESS };

/* Asks for the drain, with the deadline; the main thread begins it. Any thread; the first deadline
 * counts. */
void drain_retire(struct drain *drain, uint64_t deadline_ms);

/* Begins the drain. Any thread; the first deadline counts. True for the one call that began it: its
 * caller has the GOAWAYs sent. */
bool drain_begin(struct drain *drain, uint64_t deadline_ms);

/* Ends the drain. Any thread; it must have been begun, or asked for. True for the one call that
 * ended it: its caller shuts the server down. */
bool drain_finish(struct drain *drain);

/* The server is down. */
void drain_end(struct drain *drain);

/* DRAIN_CUTS once, at the deadline of a drain that is not over; DRAIN_IS_HOPELESS from a second
 * later on. For the main thread. */
enum drain_verdict drain_look(struct drain *drain, uint64_t now_ms);

static inline enum drain_phase
drain_phase(const struct drain *drain)
{
    return (enum drain_phase)atomic_load_explicit(&drain->phase, memory_order_acquire);
}

#endif
