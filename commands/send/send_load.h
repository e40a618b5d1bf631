/* send_load.h -- makes the calls: connections, calls in flight, and what became of them.
 *
 * A gRPC client of one thread and one completion queue. Each connection is a channel with a TCP
 * connection of its own. Each connection has as many lanes as calls may be in flight on it: a lane
 * starts its next call as soon as the last one is answered. Memory depends on the number of lanes,
 * never on the number of calls. Runs in the process of `mygrpcadapter send`, which calls
 * grpc_init() before it and grpc_shutdown() after it.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_LOAD_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_LOAD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "commands/send/latency.h"

struct send_request;

/* OK and the sixteen errors that gRPC names. Any other number counts as UNKNOWN. */
#define SEND_LOAD_STATUSES 17
#define SEND_LOAD_MESSAGE_BYTES 512

/* What became of the calls. */
struct send_load_tally {
    uint64_t planned;
    /* Calls that failed without reaching anybody among them. */
    uint64_t answered;
    uint64_t by_status[SEND_LOAD_STATUSES];
    /* The first message that came with each status, as received, cut where it is too long. OK has
     * none. */
    char first_message[SEND_LOAD_STATUSES][SEND_LOAD_MESSAGE_BYTES];
    /* Of the calls answered OK. */
    struct latency latency;
    uint64_t elapsed_ns;
};

struct send_load_plan {
    const char *address;
    const struct send_request *request;

    /* Calls in all, at least 1, spread evenly over the connections. */
    uint64_t count;
    /* Those beyond `count` are not opened. */
    uint32_t connections;
    /* Calls at once on each connection. */
    uint32_t in_flight;
    /* Of one call. */
    uint32_t timeout_ms;

    /* No call is started once this is true. Those in flight have a second to end; then they are
     * cancelled. */
    const volatile sig_atomic_t *stop;

    /* Called about once a second while calls are made. */
    void (*progress)(const struct send_load_tally *tally);
};

/* Makes the calls of the plan and waits for all of them. *tally is cleared first and then holds
 * what became of them. Returns 0, or -ENOMEM before any call was made. */
int send_load_run(const struct send_load_plan *plan, struct send_load_tally *tally);

#endif
