/* service.h -- what a gRPC service of a worker is made of.
 *
 * A service is one file that fills the methods it has (metric_service.c does); worker.c opens and
 * closes it, and calls.c brings the calls. There are two kinds: a unary method answers each
 * call at once (unary_call.c), a stream method lives on with its client (stream_call.c). All of a
 * service runs in the worker's main thread.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_SERVICE_H
#define MYGRPCADAPTER_WORKER_GRPC_SERVICE_H

#include <grpc/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define SERVICE_MESSAGE_BYTES 512
#define SERVICE_UNARY_MAX 4
#define SERVICE_STREAMS_MAX 4

struct stream;
struct worker_tally;

/* The answer to a unary call. */
struct unary_answer {
    grpc_status_code status;
    /* Printable ASCII; empty with GRPC_STATUS_OK. */
    char message[SERVICE_MESSAGE_BYTES];
    /* The serialized response, with GRPC_STATUS_OK; good until the next call. */
    struct bytes body;
    /* The answer is OK, has no body, and waits until the journal is on the disk. */
    bool after_sync;
};

struct unary_method {
    /* "/package.Service/Method". */
    const char *path;
    void *context;
    /* Calls that gRPC may hand over before the first of them is answered. */
    uint32_t expected;
    /* Where its calls are counted; NULL = nowhere. */
    struct worker_tally *tally;

    /* Answers one call. `request` is good for the time of the call; `now_ms` is CLOCK_MONOTONIC.
     * *answer_r comes zeroed: OK, without a message or a body. */
    void (*answer)(void *context, struct bytes request, uint64_t now_ms,
                   struct unary_answer *answer_r);
};

/* A stream lives until its client ends it, the method does, or the drain begins. The functions
 * below are called one at a time for one stream. */
struct stream_method {
    const char *path;
    void *context;
    /* At once; further ones are refused with RESOURCE_EXHAUSTED. */
    uint32_t streams_max;
    /* Of what stream_state() gives each stream. */
    size_t state_bytes;

    /* A message has come, or, with data NULL, the client has sent its last. The next one is read
     * once what the method sends is out. */
    void (*message)(void *context, struct stream *stream, struct bytes message);

    /* Comes about ten times a second; `draining` when the stream is ended after it. May be NULL. */
    void (*tick)(void *context, struct stream *stream, bool draining);
};

/* Memory of the method's own with each stream, zeroed at its begin, aligned for anything. */
void *stream_state(struct stream *stream);

/* True while a message is on its way out: another one must wait. */
bool stream_is_sending(const struct stream *stream);

/* Sends a message, copied. Nothing may be on its way, and stream_end() not called. */
void stream_send(struct stream *stream, struct bytes message);

/* Ends the stream once what is on its way is out. `message` is printable ASCII. Only the first call
 * counts. */
void stream_end(struct stream *stream, grpc_status_code status, const char *message);

/* All methods of a server. */
struct methods {
    struct unary_method unary[SERVICE_UNARY_MAX];
    size_t unary_count;
    struct stream_method streams[SERVICE_STREAMS_MAX];
    size_t stream_count;

    /* Comes about ten times a second, with `now_ms` as above. May be NULL. */
    void (*tick)(void *context, uint64_t now_ms);
    void *tick_context;
};

#endif
