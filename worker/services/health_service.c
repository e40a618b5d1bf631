/* health_service.c -- answers whether the adapter serves. Runs in a worker's main thread. */
#include "worker/services/health_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "health.pb-c.h"
#include "worker/grpc/service.h"

/* Kubernetes asks every few seconds; nobody asks many times at once. */
#define CHECKS_EXPECTED 8
#define WATCHERS_MAX 64

#define RESPONSE_BYTES_MAX 16

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;
#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

enum subject { SUBJECT_NONE, SUBJECT_SERVICE, SUBJECT_LIVENESS };

struct health_service {
    const struct heritage *heritage;
    char response[RESPONSE_BYTES_MAX]; /* of the last Check */
};

/* What is kept of a client that watches. */
struct watcher {
    bool begun;
    enum subject subject;
    serving_status said;
};

static enum subject
subject_named(const char *name)
{
    if (name[0] == '\0' || strcmp(name, "metric.HandleMetricService") == 0)
        return SUBJECT_SERVICE;
    return strcmp(name, "liveness") == 0 ? SUBJECT_LIVENESS : SUBJECT_NONE;
}

/* What a request asks about. Returns 0, or -EBADMSG if it does not decode. */
static int
decode_request(struct bytes wire, enum subject *subject_r)
{
    Grpc__Health__V1__HealthCheckRequest *request =
        grpc__health__v1__health_check_request__unpack(NULL, wire.size, (const uint8_t *)wire.data);
    if (request == NULL)
        return -EBADMSG;
    *subject_r = subject_named(request->service);
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
    return 0;
}

static struct bytes
encode_response(serving_status status, char out[static RESPONSE_BYTES_MAX])
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status;
    INVARIANT(grpc__health__v1__health_check_response__get_packed_size(&response) <=
              RESPONSE_BYTES_MAX);
    size_t size = grpc__health__v1__health_check_response__pack(&response, (uint8_t *)out);
    return (struct bytes){out, size};
}

static serving_status
judge(const struct health_service *service, enum subject subject, bool draining)
{
    const struct heritage *heritage = service->heritage;
    switch (subject) {
    case SUBJECT_NONE:
        break;
    case SUBJECT_LIVENESS:
        return STATUS(SERVING);
    case SUBJECT_SERVICE:
        if (!draining && scoreboard_serves(heritage->scoreboard, heritage->worker_count))
            return STATUS(SERVING);
        return STATUS(NOT_SERVING);
    }
    return STATUS(SERVICE_UNKNOWN);
}

/* In a drain no worker is healthy, so a call that still comes is answered NOT_SERVING; a worker
 * that is replaced, with the adapter serving on, says SERVING to its end. */
static void
answer_check(void *context, struct bytes request, uint64_t now_ms, struct unary_answer *answer_r)
{
    struct health_service *service = context;
    enum subject subject;
    (void)now_ms;
    if (decode_request(request, &subject) != 0) {
        answer_r->status = GRPC_STATUS_INVALID_ARGUMENT;
        (void)strcpy(answer_r->message, "the request is no HealthCheckRequest");
    } else if (subject == SUBJECT_NONE) {
        answer_r->status = GRPC_STATUS_NOT_FOUND;
        (void)strcpy(answer_r->message, "no such service here");
    } else {
        answer_r->body = encode_response(judge(service, subject, false), service->response);
    }
}

/* Says what has changed since it last spoke. */
static void
tell(const struct health_service *service, struct stream *stream, bool draining)
{
    struct watcher *watcher = stream_state(stream);
    serving_status status = judge(service, watcher->subject, draining);
    char response[RESPONSE_BYTES_MAX];
    if (!watcher->begun || status == watcher->said || stream_is_sending(stream))
        return;
    watcher->said = status;
    stream_send(stream, encode_response(status, response));
}

static void
begin_watch(void *context, struct stream *stream, struct bytes message)
{
    struct watcher *watcher = stream_state(stream);
    if (message.data == NULL && watcher->begun)
        return; /* the one request is all a client sends */
    if (watcher->begun || message.data == NULL || decode_request(message, &watcher->subject) != 0) {
        stream_end(stream, GRPC_STATUS_INVALID_ARGUMENT, "Watch takes one HealthCheckRequest");
        return;
    }
    watcher->begun = true;
    watcher->said = STATUS(UNKNOWN);
    tell(context, stream, false);
}

static void
tick_watch(void *context, struct stream *stream, bool draining)
{
    tell(context, stream, draining);
}

int
health_service_open(struct health_service **out, struct methods *methods,
                    const struct heritage *heritage)
{
    struct health_service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return -ENOMEM;
    service->heritage = heritage;
    INVARIANT(methods->unary_count < SERVICE_UNARY_MAX &&
              methods->stream_count < SERVICE_STREAMS_MAX);
    methods->unary[methods->unary_count++] = (struct unary_method){
        .path = "/grpc.health.v1.Health/Check",
        .context = service,
        .expected = CHECKS_EXPECTED,
        .answer = answer_check,
    };
    methods->streams[methods->stream_count++] = (struct stream_method){
        .path = "/grpc.health.v1.Health/Watch",
        .context = service,
        .streams_max = WATCHERS_MAX,
        .state_bytes = sizeof(struct watcher),
        .message = begin_watch,
        .tick = tick_watch,
    };
    *out = service;
    return 0;
}

void
health_service_close(struct health_service **sp)
{
    free(*sp);
    *sp = NULL;
}
