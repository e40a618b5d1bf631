/* unknown_call.h -- calls of methods that nobody registered: they are answered UNIMPLEMENTED. In
 * the main thread of a worker. */
#ifndef MYGRPCADAPTER_WORKER_GRPC_UNKNOWN_CALL_H
#define MYGRPCADAPTER_WORKER_GRPC_UNKNOWN_CALL_H

#include "base/log.h"

struct server;

struct unknown_kind {
    /* Borrowed, for as long as the server lives. */
    struct server *server;
    struct log_brake brake;
};

/* Asks for the next such call; when it is answered it asks for its successor, as long as the server
 * serves. Returns 0 or -ENOMEM. */
int unknown_call_expect(struct unknown_kind *kind);

#endif
