/* server_private.h -- the server's inside, for the kinds of calls that stand on it: unary_call.c,
 * stream_call.c, unknown_call.c, and calls.c, which starts them. The server knows none of them.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_SERVER_PRIVATE_H
#define MYGRPCADAPTER_WORKER_GRPC_SERVER_PRIVATE_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/grpc/answers.h"
#include "worker/grpc/burst.h"
#include "worker/grpc/drain.h"

struct scoreboard_slot;

/* What every tag on the completion queue points to: a member of its owner. */
struct server_event {
    /* `ok` is what the queue says: false for an operation that failed, or a call that will never
     * come. */
    void (*happen)(struct server_event *event, bool ok);
};

/* What is called about ten times a second, whether there are calls or not. */
struct server_ticker {
    void (*tick)(void *context, uint64_t now_ms);
    void *context;
};

/* The main thread's, but for `drain`, and the connections of `grpc` and `burst`. */
struct server {
    grpc_server *grpc;
    grpc_completion_queue *queue;
    grpc_server_credentials *credentials;
    struct scoreboard_slot *slot;
    struct server_ticker ticker;
    /* CLOCK_MONOTONIC, as the event at hand came. */
    uint64_t now_ns;
    uint64_t now_ms;
    uint64_t ticked_ms;
    /* When memory was last given back to the system, and whether nothing has happened since. */
    uint64_t trimmed_ms;
    bool trimmed;
    struct answers answers;
    struct burst burst;
    struct drain drain;
    struct server_event shutdown_complete;
};

/* Registers a method before the server is started. Two methods of one path break a promise. */
void *server_register(struct server *server, const char *path,
                      grpc_server_register_method_payload_handling payload);

/* Starts the server; calls may be asked for from now on. */
void server_start(struct server *server, struct server_ticker ticker);

/* True until no further call is taken, which is late in a drain. */
static inline bool
server_is_serving(const struct server *server)
{
    return drain_phase(&server->drain) < DRAIN_FINISHING;
}

/* True once the drain has begun: streams, which would not end by themselves, are ended. */
static inline bool
server_is_draining(const struct server *server)
{
    return drain_phase(&server->drain) >= DRAIN_GOING;
}

#endif
