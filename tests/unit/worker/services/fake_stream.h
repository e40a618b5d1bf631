/* fake_stream.h -- a stream without gRPC, to be included once: what a method sends and how it
 * ends a stream is kept, to be looked at. It stands in for worker/grpc/stream_call.c. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_WORKER_SERVICES_FAKE_STREAM_H
#define MYGRPCADAPTER_TESTS_UNIT_WORKER_SERVICES_FAKE_STREAM_H

#include <stdalign.h>

#include "tests/unit/scratch.h"

#include "worker/grpc/service.h"

struct stream {
    alignas(max_align_t) char state[256];

    /* A message is on its way: the test says so. */
    bool is_sending;

    /* How many messages have been sent, and the last one. */
    size_t sent;
    char message[65536];
    size_t message_bytes;

    bool ended;
    grpc_status_code status;
    char end_message[SERVICE_MESSAGE_BYTES];
};

void *
stream_state(struct stream *stream)
{
    return stream->state;
}

bool
stream_is_sending(const struct stream *stream)
{
    return stream->is_sending;
}

void
stream_send(struct stream *stream, struct bytes message)
{
    assert_false(stream->is_sending || stream->ended);
    assert_true(message.size <= sizeof(stream->message));
    memcpy(stream->message, message.data, message.size);
    stream->message_bytes = message.size;
    stream->sent++;
}

void
stream_end(struct stream *stream, grpc_status_code status, const char *message)
{
    if (stream->ended)
        return;
    stream->ended = true;
    stream->status = status;
    (void)snprintf(stream->end_message, sizeof(stream->end_message), "%s", message);
}

#endif
