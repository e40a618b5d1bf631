/* server_private.h -- between the server's loop and the kinds of calls it brings. */
#ifndef MYGRPCADAPTER_WORKER_GRPC_SERVER_PRIVATE_H
#define MYGRPCADAPTER_WORKER_GRPC_SERVER_PRIVATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "worker/grpc/service.h"

struct commit;
struct cork;
struct scoreboard_slot;

/* What every tag on the completion queue points to; the first member of its owner. */
struct server_event {
    /* `ok` is what the queue says: false for an operation that failed, or a call that will never
     * come. */
    void (*happen)(struct server_event *event, bool ok);
};

/* An answer on its way to the client. A client may keep one from leaving (by a closed window), and then
 * it must not keep the place of a call that others wait for: after a while it is late, once, and after
 * a longer while its call is cancelled. In the order they were begun, in a list. */
struct server_answer {
    struct server_answer *before;
    struct server_answer *after;
    grpc_call *call;
    uint64_t begun_ms;
    bool is_late;
    void (*late)(struct server_answer *answer);
};

/* A list of the streams there are. */
struct stream_link {
    struct stream_link *before;
    struct stream_link *after;
};

/* A stream method of this server. */
struct stream_kind {
    const struct stream_method *method;
    void *registered;
    uint32_t count; /* of its streams now */
};

struct server {
    grpc_server *grpc;
    grpc_completion_queue *queue;
    grpc_server_credentials *credentials;
    grpc_byte_buffer *empty_message;
    struct scoreboard_slot *slot;
    struct commit *commit;               /* NULL if no answer waits for the disk */
    uint64_t now_ns;                     /* CLOCK_MONOTONIC, as the event at hand came */
    uint64_t now_ms;                     /* the same */
    uint64_t looked_ms;                  /* when it last looked for late answers */
    _Atomic uint64_t drain_deadline_ms;  /* 0 = no drain has begun */
    _Atomic uint64_t retire_deadline_ms; /* a drain is to begin in a pause; 0 = not so */
    _Atomic bool finishing;              /* no further call is taken */
    uint64_t trimmed_ms;                 /* when memory was last given back to the system */
    bool trimmed;                        /* nothing has happened since */
    struct server_event shutdown_complete;
    struct server_answer answers; /* the list's head: its `after` is the oldest */
    size_t answer_count;          /* in the list */
    struct cork *cork;
    uint64_t corked_ns;         /* when the cork was put in */
    size_t corked_answers;      /* sent since then */
    bool bursting;              /* the cork was worth it last time */
    struct stream_link streams; /* the list's head */
    struct stream_kind stream_kinds[SERVICE_STREAMS_MAX];
    const struct methods *methods;
    struct log_brake unknown_brake; /* of lines about calls of unknown methods */
    bool stopped;                   /* shutdown_complete happened */
    bool cancelled;
};

/* Puts an answer, whose `late` is set, into the list; takes it out again: true if it had been late. */
void server_answer_begun(struct server *server, struct server_answer *answer, grpc_call *call);
bool server_answer_ended(struct server *server, struct server_answer *answer);

/* Puts the cork in if this answer, which is about to be sent, is one of many: see cork.h. The loop pulls
 * it. */
void server_cork(struct server *server);

/* True until no further call is taken, which is late in a drain. */
bool server_is_serving(const struct server *server);

/* True once the drain has begun: streams, which would not end by themselves, are ended. */
bool server_is_draining(const struct server *server);

/* Asks for the next call of a method (registered as `registered`); the call asks for its successor
 * when it is done, as long as the server serves. Returns 0 or -ENOMEM. */
int unary_call_expect(struct server *server, const struct unary_method *method, void *registered);

/* The same for a stream method; the stream asks for its successor when it begins. */
int stream_call_expect(struct server *server, struct stream_kind *kind);

/* Has the methods of all streams look at the time, and ends the streams of a server that drains. */
void stream_calls_tick(struct server *server);

/* The same for calls of methods that nobody registered: they are answered UNIMPLEMENTED. */
int unknown_call_expect(struct server *server);

#endif
