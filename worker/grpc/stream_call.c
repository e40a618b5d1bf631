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

struct stream {
    /* Among the streams of its kind, once it is one of them. */
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
    unsigned pending; /* events that gRPC still owes */
    bool counted;     /* one of the kind's streams; false: it was refused */
    bool begun;       /* the initial metadata are sent */
    bool reading;     /* a message is asked for */
    bool half_closed; /* the client sends no more */
    bool sending;     /* a message, or the end, is on its way */
    bool ending;      /* stream_end() was called */
    bool ended;       /* the status has been given to gRPC */
    bool over;        /* the call is closed, whoever did it */
    int cancelled;
    alignas(max_align_t) unsigned char state[];
};

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
    if (!stream->begun)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[count++] = last;
    stream->begun = true;
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
    stream->ended = true;
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
    stream->reading = true;
    start_batch(stream, &op, 1, &stream->read);
}

/* What comes next, after whatever happened. */
static void
proceed(struct stream *stream)
{
    if (stream->over || stream->sending)
        return;
    if (stream->ending && !stream->ended)
        send_end(stream);
    else if (!stream->ending && !stream->reading && !stream->half_closed)
        read_next(stream);
}

void
stream_send(struct stream *stream, struct bytes message)
{
    INVARIANT(!stream->sending && !stream->ending);
    if (stream->over)
        return;
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
    if (stream->ending)
        return;
    stream->ending = true;
    stream->end_status = status;
    (void)snprintf(stream->end_message, sizeof(stream->end_message), "%s", message);
    proceed(stream);
}

/* Gives up its place and its memory, when gRPC owes it nothing any more. */
static void
release_when_done(struct stream *stream)
{
    if (stream->pending > 0)
        return;
    struct stream_kind *kind = stream->kind;
    bool counted = stream->counted;
    if (counted) {
        list_remove(&stream->link);
        kind->count--;
    }
    grpc_metadata_array_destroy(&stream->metadata);
    if (stream->incoming != NULL)
        grpc_byte_buffer_destroy(stream->incoming);
    if (stream->call != NULL)
        grpc_call_unref(stream->call);
    free(stream);
    if (!counted && server_is_serving(kind->server))
        (void)stream_call_expect(kind);
}

static void
on_sent(struct server_event *event, bool ok)
{
    struct stream *stream = CONTAINER_OF(event, struct stream, sent);
    (void)ok; /* a call that is broken says so by on_closed() */
    stream->pending--;
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
    stream->pending--;
    stream->over = true;
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
    stream->pending--;
    stream->reading = false;
    if (ok && !stream->over && !stream->ending) {
        if (stream->incoming != NULL) {
            hand_over(stream);
        } else {
            stream->half_closed = true;
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
    stream->counted = true;
    list_append(&kind->streams, &stream->link);
    (void)stream_call_expect(kind);
    proceed(stream);
}

static void
on_arrived(struct server_event *event, bool ok)
{
    struct stream *stream = CONTAINER_OF(event, struct stream, arrived);
    stream->pending--;
    if (!ok) { /* none will come any more */
        grpc_metadata_array_destroy(&stream->metadata);
        free(stream);
        return;
    }
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
    if (stream->ending)
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
        if (method->tick != NULL && !stream->ending && !stream->over)
            method->tick(method->context, stream, draining);
        if (draining)
            drain_one(stream, was_sending);
    }
}
