/* metric_service.c -- answers HandleMetric: decode, check, render, append, OK. Runs in a worker's
 * main thread.
 *
 * Crash contract: OK is answered only for what the journal has taken; a call that is refused has
 * appended nothing, since the append is the last step.
 */
#include "worker/services/metric_service.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crash_point.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/call_refusal.h"
#include "worker/decode/request.h"
#include "worker/grpc/service.h"
#include "worker/journal.h"
#include "worker/render/go_text.h"
#include "worker/render/text.h"
#include "worker/services/destinations.h"

/* Between calls, so much memory at most is kept of the text. */
#define KEEP_BYTES (1U << 20)

/* Mixer has up to 1024 calls in flight; as many as this may come in one read of its connections. */
#define CALLS_EXPECTED 256

_Static_assert(SERVICE_MESSAGE_BYTES >= CALL_REFUSAL_TEXT_BYTES, "a refusal's text is a message");

struct metric_service {
    const struct heritage *heritage;
    struct journal *journal;
    struct request *request;
    struct text *text;
    struct destinations *destinations;
    struct worker_tally *tally;

    /* Answers wait until the disk has what the calls brought. */
    bool after_sync;

    /* A call has been accepted. */
    bool has_called;

    /* Of the last call that was refused. Not in a function's frame: there it would cost every call
     * an instruction for each instance. */
    struct call_refusal refusal;

    /* When the present call came, by CLOCK_MONOTONIC. */
    uint64_t now_ms;

    struct log_brake brake;
};

/* The status that a refused call is answered with. */
static const grpc_status_code statuses[] = {
#define STATUS(name, status, label, when) [REFUSAL_##name] = GRPC_STATUS_##status,
    REFUSAL_CAUSES(STATUS)
#undef STATUS
};

/* Whether the journal has room for what has been rendered, under a name of so many bytes. */
static bool
has_room(void *context, size_t name_bytes, struct call_refusal *refusal_r)
{
    struct metric_service *service = context;
    return journal_has_room(service->journal, name_bytes + text_bytes(service->text).size,
                            service->now_ms, refusal_r);
}

/* Decodes and renders a request and finds its output. Returns true, with a record that points
 * into the service's buffers, or false and why the call is refused. */
static bool
make_record(struct metric_service *service, struct bytes wire, uint64_t now_ms,
            struct segment_record *record_r, struct call_refusal *refusal_r)
{
    struct request *request = service->request;
    text_reset(service->text);
    if (!request_begin(request, wire, refusal_r))
        return false;
    bool to_file = request->file_path.size > 0;
    if (!go_text_render(service->text, request, to_file ? GO_TEXT_FOR_FILE : GO_TEXT_FOR_STDOUT,
                        refusal_r))
        return false;
    service->now_ms = now_ms;
    /* Last, since it counts against output.max_files: only a call that can be taken does. */
    if (!destinations_resolve(service->destinations, request->file_path, now_ms, &record_r->kind,
                              &record_r->name, refusal_r))
        return false;
    record_r->payload = text_bytes(service->text);
    return true;
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
refuse(struct metric_service *service, const struct call_refusal *refusal, uint64_t now_ms,
       struct unary_answer *answer_r)
{
    answer_r->status = statuses[refusal->cause];
    (void)snprintf(answer_r->message, sizeof(answer_r->message), "%s", refusal->text);
    tally_add(&service->tally->refusals[refusal->cause], 1);
    log_write_braked(&service->brake, now_ms, LOG_LEVEL_WARNING, "a call was refused",
                     LOG_FIELDS(log_string("reason", refusal->text),
                                log_string("status", tally_status_name(answer_r->status))));
}

static void
answer_metric(void *context, struct bytes request, uint64_t now_ms, struct unary_answer *answer_r)
{
    struct metric_service *service = context;
    struct segment_record record = {.appended_ns = 0};
    struct call_refusal *refusal = &service->refusal;
    if (!make_record(service, request, now_ms, &record, refusal) ||
        !journal_append(service->journal, &record, now_ms, refusal)) {
        refuse(service, refusal, now_ms, answer_r);
        return;
    }
    crash_point("call.appended");
    uint64_t instances = service->request->instances_read;
    note_first_call(service, &record, instances);
    tally_add(&service->tally->request_bytes, request.size);
    tally_add(&service->tally->instances, instances);
    tally_add(&service->tally->text_bytes, record.payload.size);
    /* OK, and the response is the empty message. */
    answer_r->after_sync = service->after_sync;
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
    service->after_sync = settings->segments_durability == DURABILITY_MACHINE;
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
    destinations_ask_for_room(service->destinations, has_room, service);
    INVARIANT(methods->unary_count < SERVICE_UNARY_MAX);
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
