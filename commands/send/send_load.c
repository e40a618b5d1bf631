/* send_load.c -- channels, lanes and the completion queue's loop.
 *
 * Runs in the process of `mygrpcadapter send`. A call is one batch of six operations, so it costs
 * one event. Its message is two slices: the bytes that all calls share, by reference, and the
 * call's own. Calls are not retried and do not wait for a lost connection to come back, as Mixer's
 * do not.
 */
#include "commands/send/send_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "base/invariant.h"
#include "commands/channel.h"
#include "commands/send/send_request.h"

#define METHOD "/metric.HandleMetricService/HandleMetric"

#define NS_PER_MS UINT64_C(1000000)
#define PROGRESS_NS (1000 * NS_PER_MS)
/* How soon a request to stop is noticed. */
#define TICK_NS (100 * NS_PER_MS)
/* What calls in flight have after a request to stop. */
#define PATIENCE_NS (1000 * NS_PER_MS)

struct connection {
    grpc_channel *channel;
    void *method;
    uint64_t calls_left;
};

/* One call after the other. The fields from initial_metadata on are gRPC's to fill until the call's
 * event has come. */
struct lane {
    struct connection *connection;
    /* NULL between calls. */
    grpc_call *call;
    grpc_byte_buffer *message;
    uint64_t started_ns;

    grpc_metadata_array initial_metadata;
    grpc_metadata_array trailing_metadata;
    grpc_byte_buffer *answer;
    grpc_status_code status;
    grpc_slice details;
};

enum load_phase {
    /* A lane that is free starts another call while there are some left. */
    LOAD_CALLING,
    /* No call is started; those in flight may end by themselves. */
    LOAD_STOPPING,
    /* Those that did not are cancelled, which ends them soon. */
    LOAD_CANCELLED,
};

struct send_load {
    const struct send_load_plan *plan;
    struct send_load_tally *tally;
    grpc_completion_queue *queue;
    struct connection *connections;
    size_t connection_count;
    struct lane *lanes;
    size_t lane_count;

    /* The request's bytes that all calls share. */
    grpc_slice shared;
    /* Calls so far, which is the number of the latest one. */
    uint64_t started;
    size_t in_flight;

    enum load_phase phase;
    /* LOAD_STOPPING: when patience ends. */
    uint64_t cancel_ns;
};

static uint64_t
now_ns(void)
{
    gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static gpr_timespec
deadline_at(uint64_t ns)
{
    return (gpr_timespec){.tv_sec = (int64_t)(ns / 1000000000),
                          .tv_nsec = (int32_t)(ns % 1000000000),
                          .clock_type = GPR_CLOCK_MONOTONIC};
}

/* ---- connections */

static void
open_connections(struct send_load *load)
{
    const struct send_load_plan *plan = load->plan;
    for (size_t i = 0; i < load->connection_count; i++) {
        struct connection *connection = &load->connections[i];
        connection->channel = channel_open(plan->address);
        connection->method = grpc_channel_register_call(connection->channel, METHOD, NULL, NULL);
        connection->calls_left = plan->count / load->connection_count +
                                 (i < plan->count % load->connection_count ? 1 : 0);
    }
    for (size_t i = 0; i < load->lane_count; i++) {
        struct lane *lane = &load->lanes[i];
        lane->connection = &load->connections[i % load->connection_count];
        grpc_metadata_array_init(&lane->initial_metadata);
        grpc_metadata_array_init(&lane->trailing_metadata);
    }
}

/* ---- calls */

static grpc_byte_buffer *
make_message(const struct send_load *load, uint64_t number)
{
    const struct send_request *request = load->plan->request;
    grpc_slice own = grpc_slice_malloc(request->size - request->shared_size);
    send_request_write(request, number, GRPC_SLICE_START_PTR(own));
    grpc_slice slices[] = {load->shared, own};
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(slices, 2); /* takes references */
    grpc_slice_unref(own);
    return message;
}

static void
start_call(struct send_load *load, struct lane *lane, uint64_t at_ns)
{
    struct connection *connection = lane->connection;
    INVARIANT(lane->call == NULL && connection->calls_left > 0);
    connection->calls_left--;
    load->started++;
    load->in_flight++;
    lane->started_ns = at_ns;
    lane->message = make_message(load, load->started);
    lane->call = grpc_channel_create_registered_call(
        connection->channel, NULL, GRPC_PROPAGATE_DEFAULTS, load->queue, connection->method,
        deadline_at(at_ns + load->plan->timeout_ms * NS_PER_MS), NULL);

    lane->initial_metadata.count = 0;
    lane->trailing_metadata.count = 0;
    const grpc_op operations[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = lane->message},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &lane->initial_metadata},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &lane->answer},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {.trailing_metadata = &lane->trailing_metadata,
                                        .status = &lane->status,
                                        .status_details = &lane->details}},
    };
    grpc_call_error error = grpc_call_start_batch(
        lane->call, operations, sizeof(operations) / sizeof(operations[0]), lane, NULL);
    INVARIANT(error == GRPC_CALL_OK);
}

static void
tally_failure(struct send_load_tally *tally, grpc_status_code status, const char *message,
              size_t length)
{
    size_t index = (size_t)status < SEND_LOAD_STATUSES ? (size_t)status : GRPC_STATUS_UNKNOWN;
    if (tally->by_status[index]++ > 0)
        return;
    if (length > SEND_LOAD_MESSAGE_BYTES - 1)
        length = SEND_LOAD_MESSAGE_BYTES - 1;
    memcpy(tally->first_message[index], message, length);
    tally->first_message[index][length] = '\0';
}

static void
tally_call(struct send_load_tally *tally, const struct lane *lane, uint64_t took_ns)
{
    static const char no_answer[] = "answered OK, but without a message";
    tally->answered++;
    if (lane->status != GRPC_STATUS_OK) {
        tally_failure(tally, lane->status, (const char *)GRPC_SLICE_START_PTR(lane->details),
                      GRPC_SLICE_LENGTH(lane->details));
    } else if (lane->answer == NULL) {
        tally_failure(tally, GRPC_STATUS_INTERNAL, no_answer, sizeof(no_answer) - 1);
    } else {
        tally->by_status[GRPC_STATUS_OK]++;
        latency_add(&tally->latency, took_ns);
    }
}

static void
end_call(struct send_load *load, struct lane *lane, uint64_t at_ns)
{
    INVARIANT(lane->call != NULL && load->in_flight > 0);
    tally_call(load->tally, lane, at_ns - lane->started_ns);
    grpc_slice_unref(lane->details);
    grpc_byte_buffer_destroy(lane->answer);
    grpc_byte_buffer_destroy(lane->message);
    grpc_call_unref(lane->call);
    lane->answer = NULL;
    lane->message = NULL;
    lane->call = NULL;
    load->in_flight--;
}

/* ---- the loop */

static void
enter_phase(struct send_load *load, enum load_phase phase)
{
    INVARIANT(phase == load->phase + 1);
    load->phase = phase;
}

static void
cancel_calls(struct send_load *load)
{
    for (size_t i = 0; i < load->lane_count; i++)
        if (load->lanes[i].call != NULL)
            (void)grpc_call_cancel(load->lanes[i].call, NULL);
}

/* Goes on to the next phase if it is time. */
static void
advance_phase(struct send_load *load, uint64_t at_ns)
{
    switch (load->phase) {
    case LOAD_CALLING:
        if (*load->plan->stop == 0)
            return;
        load->cancel_ns = at_ns + PATIENCE_NS;
        enter_phase(load, LOAD_STOPPING);
        return;
    case LOAD_STOPPING:
        if (at_ns < load->cancel_ns)
            return;
        cancel_calls(load);
        enter_phase(load, LOAD_CANCELLED);
        return;
    case LOAD_CANCELLED:
        return;
    }
}

static void
start_next_call(struct send_load *load, struct lane *lane, uint64_t at_ns)
{
    if (load->phase == LOAD_CALLING && lane->connection->calls_left > 0)
        start_call(load, lane, at_ns);
}

static void
make_calls(struct send_load *load)
{
    const uint64_t begun_ns = now_ns();
    uint64_t at_ns = begun_ns;
    uint64_t progress_ns = begun_ns + PROGRESS_NS;

    for (size_t i = 0; i < load->lane_count; i++)
        start_next_call(load, &load->lanes[i], at_ns);

    while (load->in_flight > 0) {
        grpc_event event =
            grpc_completion_queue_next(load->queue, deadline_at(at_ns + TICK_NS), NULL);
        at_ns = now_ns();
        advance_phase(load, at_ns);
        if (event.type == GRPC_OP_COMPLETE) {
            end_call(load, event.tag, at_ns);
            start_next_call(load, event.tag, at_ns);
        }
        if (at_ns >= progress_ns) {
            load->tally->elapsed_ns = at_ns - begun_ns;
            load->plan->progress(load->tally);
            progress_ns += PROGRESS_NS;
        }
    }
    load->tally->elapsed_ns = at_ns - begun_ns;
    INVARIANT(load->tally->answered == load->started);
}

static void
close_connections(struct send_load *load)
{
    for (size_t i = 0; i < load->lane_count; i++) {
        grpc_metadata_array_destroy(&load->lanes[i].initial_metadata);
        grpc_metadata_array_destroy(&load->lanes[i].trailing_metadata);
    }
    for (size_t i = 0; i < load->connection_count; i++)
        grpc_channel_destroy(load->connections[i].channel);
    grpc_completion_queue_shutdown(load->queue);
    while (
        grpc_completion_queue_next(load->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
        GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(load->queue);
}

int
send_load_run(const struct send_load_plan *plan, struct send_load_tally *tally)
{
    struct send_load load = {.plan = plan, .tally = tally};
    INVARIANT(plan->count > 0 && plan->connections > 0 && plan->in_flight > 0);
    *tally = (struct send_load_tally){.planned = plan->count};
    load.connection_count = plan->count < plan->connections ? plan->count : plan->connections;
    load.lane_count = load.connection_count * plan->in_flight;
    load.connections = calloc(load.connection_count, sizeof(load.connections[0]));
    load.lanes = calloc(load.lane_count, sizeof(load.lanes[0]));
    if (load.connections == NULL || load.lanes == NULL) {
        free(load.connections);
        free(load.lanes);
        return -ENOMEM;
    }

    load.shared = grpc_slice_from_static_buffer(plan->request->bytes, plan->request->shared_size);
    load.queue = grpc_completion_queue_create_for_next(NULL);
    open_connections(&load);
    make_calls(&load);
    close_connections(&load);
    free(load.connections);
    free(load.lanes);
    return 0;
}
