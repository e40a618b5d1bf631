/* unary_call.c -- one call of a unary method, from the moment gRPC is asked for it until its answer
 * is out; then the same memory waits for the next. Runs in a worker's main thread.
 *
 * Between a call and its answer stands the method's answer() and nothing else; the answer goes out
 * in one batch.
 */
#include "worker/grpc/unary_call.h"

#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/list.h"
#include "common/tally.h"
#include "worker/grpc/commit.h"
#include "worker/grpc/server_private.h"
#include "worker/grpc/service.h"

struct unary_call {
    /* The tag of all its operations. */
    struct server_event event;
    struct server *server;
    const struct unary_kind *kind;
    grpc_call *call;
    /* NULL if the client sent none, or one over the limit. */
    grpc_byte_buffer *request;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    /* From the answer on. */
    struct answer answer;
    /* While it waits for the disk. */
    struct commit_waiter waiter;
    uint64_t begun_ns;
    int cancelled;
};

static void on_call(struct server_event *event, bool ok);

/* Asks for a call of the method. */
static void
expect(struct unary_call *call)
{
    struct server *server = call->server;
    call->event.happen = on_call;
    call->call = NULL;
    call->request = NULL;
    grpc_metadata_array_init(&call->metadata);
    grpc_call_error error = grpc_server_request_registered_call(
        server->grpc, call->kind->registered, &call->call, &call->deadline, &call->metadata,
        &call->request, server->queue, server->queue, &call->event);
    INVARIANT(error == GRPC_CALL_OK);
}

static void
release(struct unary_call *call)
{
    if (call->request != NULL)
        grpc_byte_buffer_destroy(call->request);
    grpc_metadata_array_destroy(&call->metadata);
    if (call->call != NULL)
        grpc_call_unref(call->call);
}

static void
count_begun(struct unary_call *call, grpc_status_code status)
{
    struct worker_tally *tally = call->kind->method->tally;
    if (tally == NULL)
        return;
    call->begun_ns = call->server->now_ns;
    tally_add(&tally->begun, 1);
    tally_add(&tally->statuses[status], 1);
}

static void
count_ended(const struct unary_call *call)
{
    struct worker_tally *tally = call->kind->method->tally;
    if (tally == NULL)
        return;
    tally_add(&tally->ended, 1);
    tally_observe(&tally->durations, call->server->now_ns - call->begun_ns);
}

/* The answer is out, or its connection is gone: the memory waits for a call again. */
static void
on_answered(struct server_event *event, bool ok)
{
    (void)ok;
    struct unary_call *call = CONTAINER_OF(event, struct unary_call, event);
    bool replaced = answers_remove(&call->server->answers, &call->answer);
    count_ended(call);
    release(call);
    if (!replaced && server_is_serving(call->server))
        expect(call);
    else
        free(call);
}

/* Sends the answer in one batch. `body` is NULL unless the status is OK; in the commit thread or in
 * the main thread, as gRPC allows. */
static void
send_batch(struct unary_call *call, grpc_status_code status, grpc_byte_buffer *body,
           grpc_slice *details)
{
    grpc_op ops[4];
    memset(ops, 0, sizeof(ops));
    size_t count = 0;
    ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (body != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = body;
    }
    ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[count].data.send_status_from_server.status = status;
    ops[count++].data.send_status_from_server.status_details = details;
    ops[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[count++].data.recv_close_on_server.cancelled = &call->cancelled;
    grpc_call_error error = grpc_call_start_batch(call->call, ops, count, &call->event, NULL);
    INVARIANT(error == GRPC_CALL_OK);
}

static void
send_answer(struct unary_call *call, const struct unary_answer *answer)
{
    struct server *server = call->server;
    burst_answer(&server->burst, server->answers.count, server->now_ns);
    if (answer->status != GRPC_STATUS_OK) {
        grpc_slice details = grpc_slice_from_copied_string(answer->message);
        send_batch(call, answer->status, NULL, &details);
        grpc_slice_unref(details);
        return;
    }
    if (answer->body.size == 0) {
        send_batch(call, GRPC_STATUS_OK, call->kind->empty_message, NULL);
        return;
    }
    grpc_slice slice = grpc_slice_from_copied_buffer(answer->body.data, answer->body.size);
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&slice, 1);
    send_batch(call, GRPC_STATUS_OK, body, NULL);
    grpc_byte_buffer_destroy(body);
    grpc_slice_unref(slice);
}

/* The disk has what the call brought. In the commit thread: it touches nothing of the server's. */
static void
on_synced(struct commit_waiter *waiter)
{
    struct unary_call *call = CONTAINER_OF(waiter, struct unary_call, waiter);
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(NULL, 0);
    send_batch(call, GRPC_STATUS_OK, body, NULL);
    grpc_byte_buffer_destroy(body);
}

static void
answer_bytes(struct unary_call *call, const grpc_slice *slice, struct unary_answer *answer)
{
    struct bytes request = {(const char *)GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)};
    call->kind->method->answer(call->kind->method->context, request, call->server->now_ms, answer);
}

/* Gives the request's bytes in one piece to the method; where they lie, if they came in one. */
static void
answer_request(struct unary_call *call, struct unary_answer *answer)
{
    grpc_byte_buffer_reader reader;
    grpc_slice *first;
    if (call->request == NULL || !grpc_byte_buffer_reader_init(&reader, call->request)) {
        answer->status = GRPC_STATUS_INVALID_ARGUMENT;
        (void)strcpy(answer->message, "the call has no readable request message");
        return;
    }
    if (grpc_byte_buffer_reader_peek(&reader, &first) != 0 &&
        GRPC_SLICE_LENGTH(*first) == grpc_byte_buffer_length(call->request)) {
        answer_bytes(call, first, answer);
    } else {
        (void)grpc_byte_buffer_reader_init(&reader, call->request); /* from the beginning */
        grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
        answer_bytes(call, &all, answer);
        grpc_slice_unref(all);
    }
    grpc_byte_buffer_reader_destroy(&reader);
}

/* A call has come, or (not ok) none will come any more. */
static void
on_call(struct server_event *event, bool ok)
{
    struct unary_call *call = CONTAINER_OF(event, struct unary_call, event);
    if (!ok) {
        release(call);
        free(call);
        return;
    }
    struct unary_answer answer;
    answer.status = GRPC_STATUS_OK;
    answer.message[0] = '\0';
    answer.body = (struct bytes){NULL, 0};
    answer.after_sync = false;
    answer_request(call, &answer);
    count_begun(call, answer.status);
    call->event.happen = on_answered;
    answers_add(&call->server->answers, &call->answer, call->server->now_ms);
    if (!answer.after_sync) {
        send_answer(call, &answer);
        return;
    }
    INVARIANT(call->kind->commit != NULL);
    commit_wait(call->kind->commit, &call->waiter);
}

/* An answer that does not leave its connection keeps its memory; another call is expected in its
 * place. */
static void
make_place(struct answer *answer)
{
    (void)unary_call_expect(CONTAINER_OF(answer, struct unary_call, answer)->kind);
}

static void
cut(struct answer *answer)
{
    (void)grpc_call_cancel(CONTAINER_OF(answer, struct unary_call, answer)->call, NULL);
}

int
unary_call_expect(const struct unary_kind *kind)
{
    struct unary_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return -ENOMEM;
    call->server = kind->server;
    call->kind = kind;
    call->answer.make_place = make_place;
    call->answer.cut = cut;
    call->waiter.synced = on_synced;
    expect(call);
    return 0;
}
