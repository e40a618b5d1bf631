/* server.c -- makes the gRPC server and turns its loop. Runs in a worker: server_run() in the main
 * thread, which is the only one that touches calls; gRPC's own threads do its timers. */
#include "worker/grpc/server.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/invariant.h"
#include "base/list.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/connection.h"
#include "worker/grpc/connection_age.h"
#include "worker/grpc/server_private.h"

/* Memory of incomplete requests: see quota_arg(). */
#define QUOTA_MESSAGES 8
#define QUOTA_BYTES_MIN ((size_t)64 << 20)

/* Memory is given back to the system no more often than this. */
#define TRIM_MS 10000

/* The loop turns at least this often, for its heartbeat and the drain's deadline. */
#define TURN_MS 100

/* Nothing is answered so long before a GOAWAY that is not urgent, and after it. */
#define QUIET_BEFORE_NS 5000000
#define QUIET_AFTER_NS 50000000

static grpc_arg
integer_arg(const char *key, int64_t value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = bytes_unconst(key)};
    arg.value.integer = (int)value;
    return arg;
}

/* Bounds what gRPC holds of requests that are not complete yet: room for many usual ones, and for
 * some of the largest allowed. */
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
    drain_end(&CONTAINER_OF(event, struct server, shutdown_complete)->drain);
}

int
server_open(struct server **out, const struct settings *settings, struct scoreboard_slot *slot)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    int result = burst_open(&server->burst, (size_t)settings->workers_max_connections);
    if (result != 0) {
        free(server);
        return result;
    }
    server->slot = slot;
    answers_init(&server->answers);
    server->shutdown_complete.happen = on_shutdown_complete;
    server->credentials = grpc_insecure_server_credentials_create();
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->grpc = create_grpc_server(settings);
    grpc_server_register_completion_queue(server->grpc, server->queue, NULL);
    *out = server;
    return 0;
}

void *
server_register(struct server *server, const char *path,
                grpc_server_register_method_payload_handling payload)
{
    void *registered = grpc_server_register_method(server->grpc, path, NULL, payload, 0);
    INVARIANT(registered != NULL); /* two methods of one path */
    return registered;
}

void
server_start(struct server *server, struct server_ticker ticker)
{
    INVARIANT(server->ticker.tick == NULL);
    server->ticker = ticker;
    grpc_server_start(server->grpc);
}

void
server_add_connection(struct server *server, struct connection *connection)
{
    burst_add_connection(&server->burst, connection);
    grpc_server_add_channel_from_fd(server->grpc, connection_take_fd(connection),
                                    server->credentials);
}

void
server_forget_connection(struct server *server, const struct connection *connection)
{
    burst_remove_connection(&server->burst, connection);
}

void
server_drain(struct server *server, uint64_t deadline_ms)
{
    if (drain_begin(&server->drain, deadline_ms))
        connection_age_reach();
}

void
server_retire(struct server *server, uint64_t deadline_ms)
{
    drain_retire(&server->drain, deadline_ms);
}

void
server_finish(struct server *server)
{
    if (drain_finish(&server->drain))
        grpc_server_shutdown_and_notify(server->grpc, server->queue, &server->shutdown_complete);
}

/* gRPC's client fails the calls that it begins between having read a GOAWAY and having understood
 * it: all those of a connection if the answers that made room for them came with it. */
static void
retire_if_told(struct server *server)
{
    const struct timespec before = {.tv_nsec = QUIET_BEFORE_NS};
    const struct timespec after = {.tv_nsec = QUIET_AFTER_NS};
    if (drain_phase(&server->drain) != DRAIN_RETIRING)
        return;
    burst_end(&server->burst);
    (void)nanosleep(&before, NULL);
    server_drain(server, atomic_load(&server->drain.deadline_ms));
    (void)nanosleep(&after, NULL);
}

static void
cut_off(struct server *server)
{
    log_write(LOG_LEVEL_WARNING, "the drain took too long; what is left is cut off", NULL);
    server_finish(server);
    grpc_server_cancel_all_calls(server->grpc);
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

/* What a burst left with the allocator goes back to the system once the loop is idle, and not
 * often. */
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
    if (server->now_ms < server->ticked_ms + TURN_MS)
        return;
    server->ticked_ms = server->now_ms;
    answers_look(&server->answers, server_is_serving(server), server->now_ms);
    server->ticker.tick(server->ticker.context, server->now_ms);
    retire_if_told(server);
}

/* The next event, which is waited for with the cork out. */
static grpc_event
next_event(struct server *server)
{
    if (burst_is_corked(&server->burst)) {
        if (burst_may_stay(&server->burst, server->now_ns)) {
            grpc_event event =
                grpc_completion_queue_next(server->queue, gpr_inf_past(GPR_CLOCK_MONOTONIC), NULL);
            if (event.type != GRPC_QUEUE_TIMEOUT)
                return event;
        }
        burst_end(&server->burst);
    }
    return grpc_completion_queue_next(server->queue, turn_deadline(server), NULL);
}

int
server_run(struct server *server)
{
    INVARIANT(server->ticker.tick != NULL); /* it has been started */
    server->now_ns = clock_monotonic_ns();
    while (drain_phase(&server->drain) != DRAIN_OVER) {
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
        tick(server);
        enum drain_verdict verdict = drain_look(&server->drain, server->now_ms);
        if (verdict == DRAIN_IS_HOPELESS)
            return -ETIMEDOUT;
        if (verdict == DRAIN_CUTS)
            cut_off(server);
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
    INVARIANT(drain_phase(&server->drain) == DRAIN_OVER);
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
    burst_close(&server->burst);
    free(server);
}
