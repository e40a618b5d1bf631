/* service.h -- what a gRPC service of a worker is made of.
 *
 * A service is one file that fills a struct unary_method (metric_service.c does) and stands in the
 * table of worker.c; server.c brings the calls. A method of another shape (a stream) is one more
 * kind of call beside unary_call.c.
 */
#ifndef MYGRPCADAPTER_WORKER_SERVICE_H
#define MYGRPCADAPTER_WORKER_SERVICE_H

#include <grpc/status.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

#define SERVICE_MESSAGE_BYTES 512

/* The answer to a unary call. */
struct unary_answer {
    grpc_status_code status;
    char message[SERVICE_MESSAGE_BYTES]; /* printable ASCII; empty with GRPC_STATUS_OK */
    struct bytes body; /* the serialized response, with GRPC_STATUS_OK; good until the next call */
    bool after_sync;   /* OK, without a body, and not before the journal is on the disk */
};

struct unary_method {
    const char *path; /* "/package.Service/Method" */
    void *context;

    /* Answers one call in the worker's main thread. `request` is good for the time of the call;
     * `now_ms` is CLOCK_MONOTONIC. *answer_r comes zeroed: OK, without a message or a body. */
    void (*answer)(void *context, struct bytes request, uint64_t now_ms,
                   struct unary_answer *answer_r);
};

#endif
