/* unknown_call.c -- a call of a method that this server does not have. Runs in a worker's main
 * thread.
 *
 * gRPC C core keeps such calls until somebody asks for them, so somebody must.
 */
#include "worker/grpc/unknown_call.h"

#include <errno.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/list.h"
#include "base/log.h"
#include "base/quote.h"
#include "common/scoreboard.h"
#include "worker/grpc/server_private.h"

/* Room for the name of a method in the log and in the answer. */
#define METHOD_SHOWN_BYTES 256

struct unknown_call {
    /* The tag of all its operations. */
    struct server_event event;
    struct server *server;
    struct unknown_kind *kind;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    int cancelled;
};

static void on_call(struct server_event *event, bool ok);

static void
expect_next(struct unknown_call *call)
{
    struct server *server = call->server;
    call->event.happen = on_call;
    call->call = NULL;
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    grpc_call_error error =
        grpc_server_request_call(server->grpc, &call->call, &call->details, &call->metadata,
                                 server->queue, server->queue, &call->event);
    INVARIANT(error == GRPC_CALL_OK);
}

static void
release(struct unknown_call *call)
{
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    if (call->call != NULL)
        grpc_call_unref(call->call);
}

static void
on_answered(struct server_event *event, bool ok)
{
    (void)ok;
    struct unknown_call *call = CONTAINER_OF(event, struct unknown_call, event);
    release(call);
    if (server_is_serving(call->server))
        expect_next(call);
    else
        free(call);
}

/* Mixer, for one, calls another method where the adapter is named for another template than
 * metric. */
static void
log_unknown(struct unknown_kind *kind, const char *method)
{
    log_write_braked(&kind->brake, kind->server->now_ms, LOG_LEVEL_WARNING,
                     "a call of an unknown method was refused",
                     LOG_FIELDS(log_string("method", method)));
}

static void
on_call(struct server_event *event, bool ok)
{
    struct unknown_call *call = CONTAINER_OF(event, struct unknown_call, event);
    if (!ok) {
        release(call);
        free(call);
        return;
    }
    struct worker_tally *tally = &call->server->slot->worker;
    tally_add(&tally->unknown, 1);
    tally_add(&tally->statuses[GRPC_STATUS_UNIMPLEMENTED], 1);
    char method[METHOD_SHOWN_BYTES];
    char message[METHOD_SHOWN_BYTES + sizeof("unknown method ")];
    const grpc_slice *name = &call->details.method;
    struct bytes sent = {(const char *)GRPC_SLICE_START_PTR(*name), GRPC_SLICE_LENGTH(*name)};
    (void)quote_bytes(method, sizeof(method), sent, QUOTE_PLAIN);
    log_unknown(call->kind, method);
    (void)snprintf(message, sizeof(message), "unknown method %s", method);
    grpc_slice details = grpc_slice_from_copied_string(message);

    grpc_op ops[3];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[1].data.send_status_from_server.status = GRPC_STATUS_UNIMPLEMENTED;
    ops[1].data.send_status_from_server.status_details = &details;
    ops[2].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[2].data.recv_close_on_server.cancelled = &call->cancelled;
    call->event.happen = on_answered;
    grpc_call_error error = grpc_call_start_batch(call->call, ops, 3, &call->event, NULL);
    INVARIANT(error == GRPC_CALL_OK);
    grpc_slice_unref(details);
}

int
unknown_call_expect(struct unknown_kind *kind)
{
    struct unknown_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return -ENOMEM;
    call->server = kind->server;
    call->kind = kind;
    expect_next(call);
    return 0;
}
