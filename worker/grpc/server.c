/* server.c -- makes the gRPC server and turns its loop. Runs in a worker: server_run() in the main
 * thread, which is the only one that touches calls; gRPC's own threads do its timers. */
#include "worker/grpc/server.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <limits.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/connection.h"
#include "worker/grpc/connection_age.h"
#include "worker/grpc/cork.h"
#include "worker/grpc/server_private.h"
#include "worker/grpc/service.h"

/* Calls that gRPC may hand over before the loop has seen the first of them. */
#define UNKNOWN_CALLS_EXPECTED 8
#define STREAMS_EXPECTED 4

/* Memory of incomplete requests: see quota_arg(). */
#define QUOTA_MESSAGES 8
#define QUOTA_BYTES_MIN ((size_t)64 << 20)

/* Memory is given back to the system no more often than this. */
#define TRIM_MS 10000

/* An answer still here after so long makes place for another call; after the second it is cut off. */
#define ANSWER_LATE_MS 200
#define ANSWER_CUT_MS 20000

/* The cork is put in once more than so many answers for each connection are under way, and, while that
 * goes on, with the first of the next burst. It stays for so long at most: a large call must not keep
 * the answers before it. */
#define CORK_ANSWERS 2
#define CORK_NS 500000

/* The loop turns at least this often, for its heartbeat and the drain's deadline. */
#define TURN_MS 100

/* Nothing is answered so long before a GOAWAY that is not urgent, and after it. */
#define QUIET_BEFORE_NS 5000000
#define QUIET_AFTER_NS 50000000

/* So long after the deadline of a drain, connections that will not end are left behind. */
#define CANCEL_GRACE_MS 1000

static grpc_arg
integer_arg(const char *key, int64_t value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = bytes_unconst(key)};
    arg.value.integer = (int)value;
    return arg;
}

/* Bounds what gRPC holds of requests that are not complete yet: room for many usual ones, and for some
 * of the largest allowed. */
static grpc_arg
quota_arg(grpc_resource_quota *quota, int64_t max_message_bytes)
{
    size_t bytes = (size_t)max_message_bytes * QUOTA_MESSAGES;
    grpc_resource_quota_resize(quota, bytes > QUOTA_BYTES_MIN ? bytes : QUOTA_BYTES_MIN);
    grpc_arg arg = {.type = GRPC_ARG_POINTER, .key = bytes_unconst(GRPC_ARG_RESOURCE_QUOTA)};
    arg.value.pointer.p = quota;
    arg.value.pointer.vtable = grpc_resource_quota_arg_vtable();
    return arg;
}

static grpc_server *
create_grpc_server(const struct settings *settings)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("worker");
    grpc_arg args[] = {
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, settings->workers_max_message_bytes),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, settings->workers_max_concurrent_streams),
        /* Fixed windows: with the probe, a burst of large calls leaves each stream with megabytes
         * of window. */
        integer_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        quota_arg(quota, settings->workers_max_message_bytes),
        /* No compression (Mixer uses none): gRPC would inflate a request before it looks at its
         * size. */
        integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        /* See connection_age.h; never closed for it. */
        integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_MS, CONNECTION_AGE_MS),
        integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, INT_MAX),
    };
    grpc_channel_args channel_args = {.num_args = sizeof(args) / sizeof(args[0]), .args = args};
    grpc_server *server = grpc_server_create(&channel_args, NULL);
    grpc_resource_quota_unref(quota);
    return server;
}

static void
on_shutdown_complete(struct server_event *event, bool ok)
{
    (void)ok;
    struct server *server =
        (struct server *)(void *)((char *)event - offsetof(struct server, shutdown_complete));
    server->stopped = true;
}

static void *
register_method(struct server *server, const char *path,
                grpc_server_register_method_payload_handling payload)
{
    void *registered = grpc_server_register_method(server->grpc, path, NULL, payload, 0);
    INVARIANT(registered != NULL); /* two methods of one path */
    return registered;
}

/* Registers the methods, starts, and asks for the first calls. */
static int
start(struct server *server)
{
    const struct methods *methods = server->methods;
    void *unary[SERVICE_UNARY_MAX] = {NULL};
    INVARIANT(methods->unary_count <= SERVICE_UNARY_MAX);
    INVARIANT(methods->stream_count <= SERVICE_STREAMS_MAX);
    for (size_t i = 0; i < methods->unary_count; i++)
        unary[i] = register_method(server, methods->unary[i].path,
                                   GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER);
    for (size_t i = 0; i < methods->stream_count; i++) {
        const struct stream_method *method = &methods->streams[i];
        server->stream_kinds[i] = (struct stream_kind){
            .method = method,
            .registered = register_method(server, method->path, GRPC_SRM_PAYLOAD_NONE),
        };
    }
    grpc_server_start(server->grpc);
    int result = 0;
    for (size_t i = 0; i < methods->unary_count; i++) {
        for (uint32_t n = 0; n < methods->unary[i].expected && result == 0; n++)
            result = unary_call_expect(server, &methods->unary[i], unary[i]);
    }
    for (size_t i = 0; i < methods->stream_count; i++) {
        for (int n = 0; n < STREAMS_EXPECTED && result == 0; n++)
            result = stream_call_expect(server, &server->stream_kinds[i]);
    }
    for (int n = 0; n < UNKNOWN_CALLS_EXPECTED && result == 0; n++)
        result = unknown_call_expect(server);
    return result;
}

int
server_open(struct server **out, const struct settings *settings, struct scoreboard_slot *slot,
            struct commit *commit, const struct methods *methods)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    int result = cork_open(&server->cork, (size_t)settings->workers_max_connections);
    if (result != 0) {
        free(server);
        return result;
    }
    server->slot = slot;
    server->commit = commit;
    server->methods = methods;
    server->streams.before = &server->streams;
    server->streams.after = &server->streams;
    server->answers.before = &server->answers;
    server->answers.after = &server->answers;
    server->shutdown_complete.happen = on_shutdown_complete;
    server->credentials = grpc_insecure_server_credentials_create();
    server->empty_message = grpc_raw_byte_buffer_create(NULL, 0);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->grpc = create_grpc_server(settings);
    grpc_server_register_completion_queue(server->grpc, server->queue, NULL);
    *out = server;
    return start(server);
}

void
server_add_connection(struct server *server, struct connection *connection)
{
    cork_add(server->cork, connection->watch_fd);
    grpc_server_add_channel_from_fd(server->grpc, connection_take_fd(connection),
                                    server->credentials);
}

void
server_forget_connection(struct server *server, const struct connection *connection)
{
    cork_remove(server->cork, connection->watch_fd);
}

void
server_drain(struct server *server, uint64_t deadline_ms)
{
    uint64_t serving = 0;
    if (atomic_compare_exchange_strong(&server->drain_deadline_ms, &serving, deadline_ms))
        connection_age_reach();
}

void
server_retire(struct server *server, uint64_t deadline_ms)
{
    atomic_store(&server->retire_deadline_ms, deadline_ms);
}

void
server_finish(struct server *server)
{
    if (!atomic_exchange(&server->finishing, true))
        grpc_server_shutdown_and_notify(server->grpc, server->queue, &server->shutdown_complete);
}

bool
server_is_serving(const struct server *server)
{
    return !atomic_load_explicit(&server->finishing, memory_order_relaxed);
}

bool
server_is_draining(const struct server *server)
{
    return atomic_load_explicit(&server->drain_deadline_ms, memory_order_relaxed) != 0;
}

void
server_answer_begun(struct server *server, struct server_answer *answer, grpc_call *call)
{
    struct server_answer *head = &server->answers;
    answer->call = call;
    answer->begun_ms = server->now_ms;
    answer->is_late = false;
    answer->before = head->before;
    answer->after = head;
    head->before->after = answer;
    head->before = answer;
    server->answer_count++;
}

bool
server_answer_ended(struct server *server, struct server_answer *answer)
{
    server->answer_count--;
    answer->before->after = answer->after;
    answer->after->before = answer->before;
    return answer->is_late;
}

void
server_cork(struct server *server)
{
    size_t many = CORK_ANSWERS * cork_connections(server->cork);
    server->corked_answers++;
    if (cork_is_in(server->cork) || (!server->bursting && server->answer_count <= many))
        return;
    cork_put(server->cork);
    server->corked_ns = server->now_ns;
    server->corked_answers = 1;
}

static void
uncork(struct server *server)
{
    cork_pull(server->cork);
    server->bursting = server->corked_answers > CORK_ANSWERS * cork_connections(server->cork);
}

/* Looks at the oldest answers: the list is in the order they were begun. */
static void
look_for_late_answers(struct server *server)
{
    struct server_answer *answer = server->answers.after;
    for (; answer != &server->answers && server->now_ms >= answer->begun_ms + ANSWER_LATE_MS;
         answer = answer->after) {
        if (!answer->is_late && server_is_serving(server)) {
            answer->is_late = true;
            answer->late(answer);
        }
        if (server->now_ms >= answer->begun_ms + ANSWER_CUT_MS)
            (void)grpc_call_cancel(answer->call, NULL);
    }
}

/* gRPC's client fails the calls that it begins between having read a GOAWAY and having understood it: all
 * those of a connection if the answers that made room for them came with it. */
static void
retire_if_told(struct server *server)
{
    const struct timespec before = {.tv_nsec = QUIET_BEFORE_NS};
    const struct timespec after = {.tv_nsec = QUIET_AFTER_NS};
    uint64_t deadline_ms = atomic_load(&server->retire_deadline_ms);
    if (deadline_ms == 0 || server_is_draining(server))
        return;
    if (cork_is_in(server->cork))
        uncork(server);
    (void)nanosleep(&before, NULL);
    server_drain(server, deadline_ms);
    (void)nanosleep(&after, NULL);
}

/* At the deadline cancels what still runs. True once even that has taken too long. */
static bool
drain_is_hopeless(struct server *server)
{
    uint64_t deadline_ms = atomic_load(&server->drain_deadline_ms);
    if (deadline_ms == 0 || server->now_ms < deadline_ms)
        return false;
    if (!server->cancelled) {
        server->cancelled = true;
        log_write(LOG_LEVEL_WARNING, "the drain took too long; what is left is cut off", NULL);
        server_finish(server);
        grpc_server_cancel_all_calls(server->grpc);
    }
    return server->now_ms >= deadline_ms + CANCEL_GRACE_MS;
}

/* gRPC's monotonic clock is CLOCK_MONOTONIC; it is not asked again. */
static gpr_timespec
turn_deadline(const struct server *server)
{
    uint64_t at_ns = server->now_ns + TURN_MS * UINT64_C(1000000);
    return (gpr_timespec){.tv_sec = (int64_t)(at_ns / 1000000000),
                          .tv_nsec = (int32_t)(at_ns % 1000000000),
                          .clock_type = GPR_CLOCK_MONOTONIC};
}

/* What a burst left with the allocator goes back to the system once the loop is idle, and not often. */
static void
trim_memory(struct server *server)
{
    if (server->trimmed || server->now_ms < server->trimmed_ms + TRIM_MS)
        return;
    server->trimmed = true;
    server->trimmed_ms = server->now_ms;
    (void)malloc_trim(0);
}

/* What is looked at ten times a second, whether there are calls or not. */
static void
tick(struct server *server)
{
    const struct methods *methods = server->methods;
    look_for_late_answers(server);
    if (methods->tick != NULL)
        methods->tick(methods->tick_context, server->now_ms);
    stream_calls_tick(server);
}

/* The next event, which is waited for with the cork out. */
static grpc_event
next_event(struct server *server)
{
    if (cork_is_in(server->cork)) {
        if (server->now_ns < server->corked_ns + CORK_NS) {
            grpc_event event =
                grpc_completion_queue_next(server->queue, gpr_inf_past(GPR_CLOCK_MONOTONIC), NULL);
            if (event.type != GRPC_QUEUE_TIMEOUT)
                return event;
        }
        uncork(server);
    }
    return grpc_completion_queue_next(server->queue, turn_deadline(server), NULL);
}

int
server_run(struct server *server)
{
    server->now_ns = clock_monotonic_ns();
    while (!server->stopped) {
        grpc_event event = next_event(server);
        atomic_fetch_add_explicit(&server->slot->heartbeat, 1, memory_order_relaxed);
        server->now_ns = clock_monotonic_ns();
        server->now_ms = server->now_ns / 1000000;
        if (event.type == GRPC_OP_COMPLETE) {
            struct server_event *happened = event.tag;
            happened->happen(happened, event.success != 0);
            server->trimmed = false;
        } else {
            trim_memory(server);
        }
        if (server->now_ms >= server->looked_ms + TURN_MS) {
            server->looked_ms = server->now_ms;
            tick(server);
            retire_if_told(server);
        }
        if (drain_is_hopeless(server))
            return -ETIMEDOUT;
    }
    return 0;
}

void
server_close(struct server **sp)
{
    struct server *server = *sp;
    if (server == NULL)
        return;
    *sp = NULL;
    INVARIANT(server->stopped);
    grpc_server_destroy(server->grpc);
    grpc_completion_queue_shutdown(server->queue);
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        struct server_event *happened = event.tag;
        happened->happen(happened, event.success != 0);
    }
    grpc_completion_queue_destroy(server->queue);
    grpc_server_credentials_release(server->credentials);
    cork_close(&server->cork);
    grpc_byte_buffer_destroy(server->empty_message);
    free(server);
}
