/* stream_call.h -- calls of a stream method, which live on with their clients; what a method may do
 * with one is in service.h. In the main thread of a worker. */
#ifndef MYGRPCADAPTER_WORKER_GRPC_STREAM_CALL_H
#define MYGRPCADAPTER_WORKER_GRPC_STREAM_CALL_H

#include <stdint.h>

#include "base/list.h"

struct server;
struct stream_method;

/* A stream method of a server. What it points to is borrowed, for as long as the server lives. */
struct stream_kind {
    struct server *server;
    const struct stream_method *method;
    /* What the method is registered as. */
    void *registered;
    /* The streams there are now. */
    struct list_link streams;
    uint32_t count;
};

void stream_kind_init(struct stream_kind *kind, struct server *server,
                      const struct stream_method *method, void *registered);

/* Has the method look at the time with each of its streams, and ends them if the server drains. To
 * be called about ten times a second. */
void stream_kind_tick(struct stream_kind *kind);

/* Asks for the next stream of the method; it asks for its successor when it begins. Returns 0 or
 * -ENOMEM. */
int stream_call_expect(struct stream_kind *kind);

#endif
