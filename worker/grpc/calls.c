/* calls.c -- registers the methods of a server, and asks for the first call of each kind; each asks
 * for its successor itself. In the main thread of a worker. */
#include "worker/grpc/calls.h"

#include <errno.h>
#include <grpc/grpc.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "worker/grpc/server_private.h"
#include "worker/grpc/service.h"
#include "worker/grpc/stream_call.h"
#include "worker/grpc/unary_call.h"
#include "worker/grpc/unknown_call.h"

/* Calls that gRPC may hand over before the loop has seen the first of them. */
#define UNKNOWN_CALLS_EXPECTED 8
#define STREAMS_EXPECTED 4

struct calls {
    const struct methods *methods;
    grpc_byte_buffer *empty_message;
    struct unary_kind unary[SERVICE_UNARY_MAX];
    struct stream_kind streams[SERVICE_STREAMS_MAX];
    struct unknown_kind unknown;
};

static void
on_tick(void *context, uint64_t now_ms)
{
    struct calls *calls = context;
    const struct methods *methods = calls->methods;
    if (methods->tick != NULL)
        methods->tick(methods->tick_context, now_ms);
    for (size_t i = 0; i < methods->stream_count; i++)
        stream_kind_tick(&calls->streams[i]);
}

static void
register_methods(struct calls *calls, struct server *server, struct commit *commit)
{
    const struct methods *methods = calls->methods;
    INVARIANT(methods->unary_count <= SERVICE_UNARY_MAX);
    INVARIANT(methods->stream_count <= SERVICE_STREAMS_MAX);
    for (size_t i = 0; i < methods->unary_count; i++) {
        const struct unary_method *method = &methods->unary[i];
        calls->unary[i] = (struct unary_kind){
            .server = server,
            .method = method,
            .registered =
                server_register(server, method->path, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER),
            .commit = commit,
            .empty_message = calls->empty_message,
        };
    }
    for (size_t i = 0; i < methods->stream_count; i++) {
        const struct stream_method *method = &methods->streams[i];
        void *registered = server_register(server, method->path, GRPC_SRM_PAYLOAD_NONE);
        stream_kind_init(&calls->streams[i], server, method, registered);
    }
    calls->unknown.server = server;
}

static int
expect_first(struct calls *calls)
{
    const struct methods *methods = calls->methods;
    int result = 0;
    for (size_t i = 0; i < methods->unary_count; i++) {
        for (uint32_t n = 0; n < methods->unary[i].expected && result == 0; n++)
            result = unary_call_expect(&calls->unary[i]);
    }
    for (size_t i = 0; i < methods->stream_count; i++) {
        for (int n = 0; n < STREAMS_EXPECTED && result == 0; n++)
            result = stream_call_expect(&calls->streams[i]);
    }
    for (int n = 0; n < UNKNOWN_CALLS_EXPECTED && result == 0; n++)
        result = unknown_call_expect(&calls->unknown);
    return result;
}

int
calls_open(struct calls **out, struct server *server, const struct methods *methods,
           struct commit *commit)
{
    struct calls *calls = calloc(1, sizeof(*calls));
    if (calls == NULL)
        return -ENOMEM;
    calls->methods = methods;
    calls->empty_message = grpc_raw_byte_buffer_create(NULL, 0);
    register_methods(calls, server, commit);
    server_start(server, (struct server_ticker){on_tick, calls});
    *out = calls;
    return expect_first(calls);
}

void
calls_close(struct calls **cp)
{
    if (*cp == NULL)
        return;
    grpc_byte_buffer_destroy((*cp)->empty_message);
    free(*cp);
    *cp = NULL;
}
