/* server_private.h -- between the server's loop and the kinds of calls it brings. */
#ifndef MYGRPCADAPTER_WORKER_SERVER_PRIVATE_H
#define MYGRPCADAPTER_WORKER_SERVER_PRIVATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct scoreboard_slot;
struct unary_method;

/* What every tag on the completion queue points to; the first member of its owner. */
struct server_event {
    /* `ok` is what the queue says: false for an operation that failed, or a call that will never
     * come. */
    void (*happen)(struct server_event *event, bool ok);
};

struct server {
    grpc_server *grpc;
    grpc_completion_queue *queue;
    grpc_server_credentials *credentials;
    grpc_byte_buffer *empty_message;
    struct scoreboard_slot *slot;
    uint64_t now_ms;                    /* CLOCK_MONOTONIC, as the event at hand came */
    _Atomic uint64_t drain_deadline_ms; /* 0 = serving */
    struct server_event shutdown_complete;
    bool stopped; /* shutdown_complete happened */
    bool cancelled;
};

/* Asks for the next call of a method (registered as `registered`); the call asks for its successor
 * when it is done, as long as the server serves. Returns 0 or -ENOMEM. */
int unary_call_expect(struct server *server, const struct unary_method *method, void *registered);

/* The same for calls of methods that nobody registered: they are answered UNIMPLEMENTED. */
int unknown_call_expect(struct server *server);

#endif
