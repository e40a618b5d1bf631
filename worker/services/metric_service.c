/* metric_service.c -- answers HandleMetric: decode, check, render, append, OK. Runs in a worker's
 * main thread.
 *
 * Crash contract: OK is answered only for what the journal has taken; a call that is refused has
 * appended nothing, since the append is the last step.
 */
#include "worker/services/metric_service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crash_point.h"
#include "common/heritage.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/services/destinations.h"
#include "worker/render/go_text.h"
#include "worker/journal.h"
#include "worker/decode/request.h"
#include "worker/grpc/service.h"
#include "worker/render/text.h"

/* Between calls, so much memory at most is kept of the text. */
#define KEEP_BYTES (1U << 20)

/* Mixer has up to 1024 calls in flight; as many as this may come in one read of its connections. */
#define CALLS_EXPECTED 256

struct metric_service {
    const struct heritage *heritage;
    struct journal *journal;
    struct request *request;
    struct text *text;
    struct destinations *destinations;
    struct worker_tally *tally;
    bool has_called; /* a call has been accepted */
    struct log_brake brake;
};

static grpc_status_code
status_of(int error)
{
    switch (-error) {
    case EBADMSG:
    case EINVAL:
        return GRPC_STATUS_INVALID_ARGUMENT;
    case ENOMEM:
    case EMSGSIZE:
    case EUSERS:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return GRPC_STATUS_RESOURCE_EXHAUSTED;
    default:
        return GRPC_STATUS_UNAVAILABLE;
    }
}

static enum tally_refusal
refusal_of(int error)
{
    switch (-error) {
    case EBADMSG:
        return TALLY_REFUSAL_MALFORMED;
    case EINVAL:
        return TALLY_REFUSAL_FILE_PATH;
    case ENOMEM:
    case EMSGSIZE:
    case EFBIG:
        return TALLY_REFUSAL_TOO_LARGE;
    case EUSERS:
        return TALLY_REFUSAL_MAX_FILES;
    case EDQUOT:
        return TALLY_REFUSAL_SEGMENTS_LIMIT;
    case ENOSPC:
        return TALLY_REFUSAL_VOLUME_FULL;
    default:
        return TALLY_REFUSAL_SYSTEM;
    }
}

/* Decodes and renders a request and finds its output. Returns 0, the record, which points into the
 * service's buffers, and the number of instances, or a negative errno and a message. */
static int
make_record(struct metric_service *service, struct bytes wire, uint64_t now_ms,
            struct segment_record *record_r, uint64_t *instances_r,
            char message[static SERVICE_MESSAGE_BYTES])
{
    struct request *request = service->request;
    _Static_assert(SERVICE_MESSAGE_BYTES >= REQUEST_REASON_BYTES, "a reason fits a message");
    _Static_assert(SERVICE_MESSAGE_BYTES >= DESTINATIONS_REASON_BYTES, "a reason fits a message");
    text_reset(service->text);
    int result = request_begin(request, wire, message);
    if (result != 0)
        return result;
    bool to_file = request->file_path.size > 0;
    result = go_text_render(service->text, request, to_file ? GO_TEXT_FOR_FILE : GO_TEXT_FOR_STDOUT,
                            message);
    if (result == -EMSGSIZE)
        (void)snprintf(message, SERVICE_MESSAGE_BYTES,
                       "the text of the call is longer than workers.max_text_bytes (%" PRId64 ")",
                       service->heritage->settings->workers_max_text_bytes);
    if (result != 0)
        return result;
    record_r->payload = text_bytes(service->text);
    *instances_r = request->instances_read;
    /* Last, since it counts against output.max_files: only a call that can be taken does. */
    return destinations_resolve(service->destinations, request->file_path, now_ms, &record_r->kind,
                                &record_r->name, message);
}

/* Once since the adapter started: the sign that Mixer has found it. */
static void
note_first_call(struct metric_service *service, const struct segment_record *record,
                uint64_t instances)
{
    if (service->has_called)
        return;
    service->has_called = true;
    if (scoreboard_is_first(&service->heritage->scoreboard->first_call))
        log_write(LOG_LEVEL_INFO, "first call accepted",
                  LOG_FIELDS(log_u64("instances", instances),
                             log_u64("text_bytes", record->payload.size)));
}

static void
log_refusal(struct metric_service *service, int error, const char *message, uint64_t now_ms)
{
    log_write_braked(
        &service->brake, now_ms, LOG_LEVEL_WARNING, "a call was refused",
        LOG_FIELDS(log_string("reason", message), log_i64("status", status_of(error))));
}

static void
answer_metric(void *context, struct bytes request, uint64_t now_ms, struct unary_answer *answer_r)
{
    struct metric_service *service = context;
    struct segment_record record;
    uint64_t instances = 0;
    int result = make_record(service, request, now_ms, &record, &instances, answer_r->message);
    if (result == 0) {
        result = journal_append(service->journal, &record, now_ms);
        if (result == 0) {
            crash_point("call.appended");
            note_first_call(service, &record, instances);
            tally_add(&service->tally->request_bytes, request.size);
            tally_add(&service->tally->instances, instances);
            tally_add(&service->tally->text_bytes, record.payload.size);
            /* OK, and the response is the empty message. */
            answer_r->after_sync =
                service->heritage->settings->segments_durability == DURABILITY_MACHINE;
            return;
        }
        (void)snprintf(answer_r->message, SERVICE_MESSAGE_BYTES, "%s",
                       journal_refusal(service->journal));
    }
    answer_r->status = status_of(result);
    tally_add(&service->tally->refusals[refusal_of(result)], 1);
    log_refusal(service, result, answer_r->message, now_ms);
}

int
metric_service_open(struct metric_service **out, struct methods *methods,
                    const struct heritage *heritage, struct journal *journal)
{
    const struct settings *settings = heritage->settings;
    struct metric_service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return -ENOMEM;
    service->heritage = heritage;
    service->journal = journal;
    service->tally = &heritage->scoreboard->slots[heritage->slot].worker;
    int result = request_open(&service->request, (size_t)settings->workers_max_message_bytes);
    if (result == 0)
        result = text_open(&service->text, (size_t)settings->workers_max_text_bytes, KEEP_BYTES);
    if (result == 0)
        result = destinations_open(&service->destinations, heritage);
    if (result != 0) {
        metric_service_close(&service);
        return result;
    }
    methods->unary[methods->unary_count++] =
        (struct unary_method){.path = "/metric.HandleMetricService/HandleMetric",
                              .context = service,
                              .expected = CALLS_EXPECTED,
                              .tally = service->tally,
                              .answer = answer_metric};
    *out = service;
    return 0;
}

void
metric_service_close(struct metric_service **sp)
{
    if (*sp == NULL)
        return;
    request_close(&(*sp)->request);
    text_close(&(*sp)->text);
    destinations_close(&(*sp)->destinations);
    free(*sp);
    *sp = NULL;
}
