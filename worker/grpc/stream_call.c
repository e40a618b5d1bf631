/* stream_call.c -- one call of a stream method: messages both ways until either side ends it. Runs
 * in a worker's main thread.
 *
 * A client can hold little: one message is read at a time, the next only when the answer to the
 * last is out, at most one is on its way to it, and a method has a bounded number of streams. One
 * more is answered RESOURCE_EXHAUSTED, and its successor is asked for only when that answer is out.
 */
#include "worker/grpc/stream_call.h"

#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/list.h"
#include "worker/grpc/server_private.h"
#include "worker/grpc/service.h"

enum stream_phase {
    /* It is asked for; no client has come. */
    STREAM_EXPECTED,
    /* Messages come and go. */
    STREAM_OPEN,
    /* stream_end() was called; the status follows what is on its way. */
    STREAM_ENDING,
    /* The status has been given to gRPC. */
    STREAM_ENDED,
    /* The call is over, whoever ended it. */
    STREAM_CLOSED,
    STREAM_PHASE_COUNT,
};

/* What comes from the client. */
enum stream_input {
    INPUT_IDLE,
    /* A message is asked for. */
    INPUT_ASKED,
    /* The client sends no more. */
    INPUT_FINISHED,
};

struct stream {
    /* Among the streams of its kind; in no list if it was refused. */
    struct list_link link;
    struct stream_kind *kind;
    struct server_event arrived;
    struct server_event read;
    struct server_event sent;
    struct server_event closed;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *incoming;
    grpc_status_code end_status;
    char end_message[96];
    enum stream_phase phase;
    enum stream_input input;
    /* Events that gRPC still owes. */
    unsigned pending;
    /* A message, or the end, is on its way. */
    bool sending;
    /* The initial metadata are sent. */
    bool metadata_sent;
    int cancelled;
    alignas(max_align_t) unsigned char state[];
};

static void
set_phase(struct stream *stream, enum stream_phase next)
{
    static const bool allowed[STREAM_PHASE_COUNT][STREAM_PHASE_COUNT] = {
        [STREAM_EXPECTED] = {[STREAM_OPEN] = true},
        [STREAM_OPEN] = {[STREAM_ENDING] = true, [STREAM_CLOSED] = true},
        [STREAM_ENDING] = {[STREAM_ENDED] = true, [STREAM_CLOSED] = true},
        [STREAM_ENDED] = {[STREAM_CLOSED] = true},
    };
    INVARIANT(allowed[stream->phase][next]);
    stream->phase = next;
}

/* An event that gRPC owed has come. */
static void
settle(struct stream *stream)
{
    INVARIANT(stream->pending > 0);
    stream->pending--;
}

void *
stream_state(struct stream *stream)
{
    return stream->state;
}

bool
stream_is_sending(const struct stream *stream)
{
    return stream->sending;
}

static void
start_batch(struct stream *stream, const grpc_op *ops, size_t count, struct server_event *event)
{
    grpc_call_error error = grpc_call_start_batch(stream->call, ops, count, event, NULL);
    INVARIANT(error == GRPC_CALL_OK);
    stream->pending++;
}

/* Sends what `last` says, behind the initial metadata if they are still to come. */
static void
send_op(struct stream *stream, grpc_op last)
{
    grpc_op ops[2];
    memset(ops, 0, sizeof(ops));
    size_t count = 0;
    INVARIANT(!stream->sending);
    if (!stream->metadata_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[count++] = last;
    stream->metadata_sent = true;
    stream->sending = true;
    start_batch(stream, ops, count, &stream->sent);
}

static void
send_end(struct stream *stream)
{
    grpc_slice details = grpc_slice_from_copied_string(stream->end_message);
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op.data.send_status_from_server.status = stream->end_status;
    op.data.send_status_from_server.status_details = &details;
    set_phase(stream, STREAM_ENDED);
    send_op(stream, op);
    grpc_slice_unref(details);
}

static void
read_next(struct stream *stream)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &stream->incoming;
    stream->input = INPUT_ASKED;
    start_batch(stream, &op, 1, &stream->read);
}

/* What comes next, after whatever happened. */
static void
proceed(struct stream *stream)
{
    if (stream->sending)
        return;
    if (stream->phase == STREAM_ENDING)
        send_end(stream);
    else if (stream->phase == STREAM_OPEN && stream->input == INPUT_IDLE)
        read_next(stream);
}

void
stream_send(struct stream *stream, struct bytes message)
{
    INVARIANT(!stream->sending);
    if (stream->phase == STREAM_CLOSED)
        return;
    INVARIANT(stream->phase == STREAM_OPEN);
    grpc_slice slice = grpc_slice_from_copied_buffer(message.data, message.size);
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_SEND_MESSAGE;
    op.data.send_message.send_message = body;
    send_op(stream, op);
    grpc_byte_buffer_destroy(body);
    grpc_slice_unref(slice);
}

void
stream_end(struct stream *stream, grpc_status_code status, const char *message)
{
    if (stream->phase != STREAM_OPEN)
        return;
    set_phase(stream, STREAM_ENDING);
    stream->end_status = status;
    (void)snprintf(stream->end_message, sizeof(stream->end_message), "%s", message);
    proceed(stream);
}

static void
release(struct stream *stream)
{
    grpc_metadata_array_destroy(&stream->metadata);
    if (stream->incoming != NULL)
        grpc_byte_buffer_destroy(stream->incoming);
    if (stream->call != NULL)
        grpc_call_unref(stream->call);
    free(stream);
}

/* Gives up its place and its memory, when gRPC owes it nothing any more. One that was refused makes
 * place for its successor only now. */
static void
release_when_done(struct stream *stream)
{
    if (stream->pending > 0)
        return;
    INVARIANT(stream->phase == STREAM_CLOSED);
    struct stream_kind *kind = stream->kind;
    bool refused = list_is_empty(&stream->link);
    if (!refused) {
        INVARIANT(kind->count > 0);
        list_remove(&stream->link);
        kind->count--;
    }
    release(stream);
    if (refused && server_is_serving(kind->server))
        (void)stream_call_expect(kind);
}

static void
on_sent(struct server_event *event, bool ok)
{
    struct stream *stream = CONTAINER_OF(event, struct stream, sent);
    (void)ok; /* a call that is broken says so by on_closed() */
    settle(stream);
    stream->sending = false;
    proceed(stream);
    release_when_done(stream);
}

/* The call is over: the status is out, or the client or the connection has gone. */
static void
on_closed(struct server_event *event, bool ok)
{
    struct stream *stream = CONTAINER_OF(event, struct stream, closed);
    (void)ok;
    settle(stream);
    set_phase(stream, STREAM_CLOSED);
    release_when_done(stream);
}

/* Gives the message that came to the method. */
static void
hand_over(struct stream *stream)
{
    const struct stream_method *method = stream->kind->method;
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, stream->incoming)) {
        stream_end(stream, GRPC_STATUS_INVALID_ARGUMENT, "the message cannot be read");
        return;
    }
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    size_t size = GRPC_SLICE_LENGTH(slice);
    struct bytes message = {size > 0 ? (const char *)GRPC_SLICE_START_PTR(slice) : "", size};
    method->message(method->context, stream, message);
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
}

static void
on_read(struct server_event *event, bool ok)
{
    struct stream *stream = CONTAINER_OF(event, struct stream, read);
    const struct stream_method *method = stream->kind->method;
    settle(stream);
    stream->input = INPUT_IDLE;
    if (ok && stream->phase == STREAM_OPEN) {
        if (stream->incoming != NULL) {
            hand_over(stream);
        } else {
            stream->input = INPUT_FINISHED;
            method->message(method->context, stream, (struct bytes){NULL, 0});
        }
    }
    if (stream->incoming != NULL)
        grpc_byte_buffer_destroy(stream->incoming);
    stream->incoming = NULL;
    if (ok)
        proceed(stream);
    release_when_done(stream);
}

static void
admit(struct stream *stream)
{
    struct stream_kind *kind = stream->kind;
    if (kind->count >= kind->method->streams_max) {
        stream_end(stream, GRPC_STATUS_RESOURCE_EXHAUSTED,
                   "this worker has as many such streams as it takes");
        return;
    }
    kind->count++;
    list_append(&kind->streams, &stream->link);
    (void)stream_call_expect(kind);
    proceed(stream);
}

static void
on_arrived(struct server_event *event, bool ok)
{
    struct stream *stream = CONTAINER_OF(event, struct stream, arrived);
    settle(stream);
    if (!ok) { /* none will come any more */
        release(stream);
        return;
    }
    set_phase(stream, STREAM_OPEN);
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &stream->cancelled;
    start_batch(stream, &op, 1, &stream->closed);
    admit(stream);
}

int
stream_call_expect(struct stream_kind *kind)
{
    struct server *server = kind->server;
    struct stream *stream = calloc(1, sizeof(*stream) + kind->method->state_bytes);
    if (stream == NULL)
        return -ENOMEM;
    list_init(&stream->link);
    stream->kind = kind;
    stream->arrived.happen = on_arrived;
    stream->read.happen = on_read;
    stream->sent.happen = on_sent;
    stream->closed.happen = on_closed;
    grpc_metadata_array_init(&stream->metadata);
    grpc_call_error error = grpc_server_request_registered_call(
        server->grpc, kind->registered, &stream->call, &stream->deadline, &stream->metadata, NULL,
        server->queue, server->queue, &stream->arrived);
    INVARIANT(error == GRPC_CALL_OK);
    stream->pending = 1;
    return 0;
}

/* Whoever does not take what was sent before must not hold up the drain. */
static void
drain_one(struct stream *stream, bool was_sending)
{
    if (stream->phase != STREAM_OPEN)
        return;
    if (was_sending)
        (void)grpc_call_cancel(stream->call, NULL);
    else
        stream_end(stream, GRPC_STATUS_UNAVAILABLE, "the adapter is draining");
}

void
stream_kind_init(struct stream_kind *kind, struct server *server,
                 const struct stream_method *method, void *registered)
{
    *kind = (struct stream_kind){.server = server, .method = method, .registered = registered};
    list_init(&kind->streams);
}

void
stream_kind_tick(struct stream_kind *kind)
{
    const struct stream_method *method = kind->method;
    bool draining = server_is_draining(kind->server);
    for (struct list_link *link = kind->streams.after; link != &kind->streams; link = link->after) {
        struct stream *stream = CONTAINER_OF(link, struct stream, link);
        bool was_sending = stream->sending;
        if (method->tick != NULL && stream->phase == STREAM_OPEN)
            method->tick(method->context, stream, draining);
        if (draining)
            drain_one(stream, was_sending);
    }
}
