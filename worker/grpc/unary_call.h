/* unary_call.h -- calls of a unary method: one message, one answer. In the main thread of a
 * worker. */
#ifndef MYGRPCADAPTER_WORKER_GRPC_UNARY_CALL_H
#define MYGRPCADAPTER_WORKER_GRPC_UNARY_CALL_H

#include <grpc/grpc.h>

struct commit;
struct server;
struct unary_method;

/* A unary method of a server, and what its calls need. All is borrowed, for as long as the server
 * lives. */
struct unary_kind {
    struct server *server;
    const struct unary_method *method;
    /* What the method is registered as. */
    void *registered;
    /* NULL if no answer waits for the disk. */
    struct commit *commit;
    grpc_byte_buffer *empty_message;
};

/* Asks for the next call of the method; when it is answered it asks for its successor, as long as
 * the server serves. Returns 0 or -ENOMEM. */
int unary_call_expect(const struct unary_kind *kind);

#endif
