/* send_load.h -- makes the calls: connections, calls in flight, and what became of them.
 *
 * A gRPC client of one thread and one completion queue. Each connection is a channel with a TCP
 * connection of its own; each call in flight is a lane, which starts its next call as soon as the
 * last one is answered. Memory depends on the number of lanes, never on the number of calls. Runs
 * in the process of `mygrpcadapter send`, which calls grpc_init() before and grpc_shutdown() after
 * it; no other process of the project includes this.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_LOAD_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_LOAD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "commands/send/latency.h"

struct send_request;

#define LOAD_STATUSES                                                                              \
    17 /* OK and the sixteen errors that gRPC names; any other number counts as UNKNOWN */
#define LOAD_MESSAGE_BYTES 512

/* What became of the calls. */
struct load_tally {
    uint64_t planned;
    uint64_t answered; /* including calls that failed without reaching anybody */
    uint64_t by_status[LOAD_STATUSES];
    char first_message[LOAD_STATUSES]
                      [LOAD_MESSAGE_BYTES]; /* as received but for length; OK has none */
    struct latency latency;                 /* of the calls answered OK */
    uint64_t elapsed_ns;
};

struct load_plan {
    const char *address;
    const struct send_request *request;
    uint64_t count;       /* calls in all, spread evenly over the connections */
    uint32_t connections; /* those beyond `count` are not opened */
    uint32_t in_flight;   /* calls at once on each connection */
    uint32_t timeout_ms;  /* of one call */

    /* No call is started once this is true; those in flight have a second to end before they are
     * cancelled. */
    const volatile sig_atomic_t *stop;

    /* Called about once a second while calls are made. */
    void (*progress)(const struct load_tally *tally);
};

/* Makes the calls of the plan and waits for all of them; *tally, cleared first, then holds the
 * outcome. Returns 0, or -ENOMEM before any call was made. */
int load_run(const struct load_plan *plan, struct load_tally *tally);

#endif
