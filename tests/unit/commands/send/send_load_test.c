/* send_load_test.c -- the calls of `send` against a server of gRPC's in a thread of this test. */
#include "tests/unit/scratch.h"

#include <pthread.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include "base/complaint.h"
#include "commands/channel.h"
#include "commands/send/send_load.h"
#include "commands/send/send_options.h"
#include "commands/send/send_request.h"

/* What the server answers. */
enum conduct {
    ANSWER,
    /* INVALID_ARGUMENT with a message. */
    REFUSE,
    /* OK, and no message before it. */
    SAY_NOTHING,
    /* No answer to any call. */
    IGNORE,
};

#define CALLS_MAX 256

struct server {
    enum conduct conduct;
    grpc_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
    char address[128];
    /* Calls that came, in the order in which they came; read once the thread has ended. */
    size_t count;
    grpc_call *calls[CALLS_MAX];
};

static int tag_request;
static int tag_answered;
static int tag_shutdown;

static void
answer_call(struct server *server, grpc_call *call)
{
    static grpc_slice message;
    grpc_slice bytes = grpc_empty_slice();
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&bytes, 1);
    bool refuse = server->conduct == REFUSE;
    message = grpc_slice_from_static_string("no \x01 thanks");
    grpc_op operations[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
         .data.send_status_from_server = {.status = refuse ? GRPC_STATUS_INVALID_ARGUMENT
                                                           : GRPC_STATUS_OK,
                                          .status_details = refuse ? &message : NULL}},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body},
    };
    size_t count = server->conduct == ANSWER ? 3 : 2;
    assert_int_equal(grpc_call_start_batch(call, operations, count, &tag_answered, NULL),
                     GRPC_CALL_OK);
    grpc_byte_buffer_destroy(body);
}

static void *
serve(void *context)
{
    struct server *server = context;
    grpc_call *call = NULL;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_call_details_init(&details);
    grpc_metadata_array_init(&metadata);
    grpc_event event;
    (void)grpc_server_request_call(server->server, &call, &details, &metadata, server->queue,
                                   server->queue, &tag_request);
    do {
        event =
            grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.tag != &tag_request || event.success == 0)
            continue;
        if (server->conduct != IGNORE)
            answer_call(server, call);
        server->calls[server->count++] = call;
        grpc_call_details_destroy(&details);
        grpc_call_details_init(&details);
        (void)grpc_server_request_call(server->server, &call, &details, &metadata, server->queue,
                                       server->queue, &tag_request);
    } while (event.tag != &tag_shutdown);
    grpc_call_details_destroy(&details);
    grpc_metadata_array_destroy(&metadata);
    return NULL;
}

static void
server_open(struct server *server, const struct scratch *scratch, enum conduct conduct)
{
    *server = (struct server){.conduct = conduct};
    (void)snprintf(server->address, sizeof(server->address), "unix://%s/socket", scratch->path);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->server = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(server->server, server->queue, NULL);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    assert_int_not_equal(grpc_server_add_http2_port(server->server, server->address, credentials),
                         0);
    grpc_server_credentials_release(credentials);
    grpc_server_start(server->server);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
server_close(struct server *server)
{
    grpc_server_shutdown_and_notify(server->server, server->queue, &tag_shutdown);
    grpc_server_cancel_all_calls(server->server);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    for (size_t i = 0; i < server->count; i++)
        grpc_call_unref(server->calls[i]);
    grpc_server_destroy(server->server);
    grpc_completion_queue_shutdown(server->queue);
    while (
        grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
        GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(server->queue);
}

static struct send_load_tally tally;
static volatile sig_atomic_t stop;
static unsigned progress_count;

static void
count_progress(const struct send_load_tally *so_far)
{
    progress_count++;
    assert_true(so_far->elapsed_ns > 0 && so_far->answered <= so_far->planned);
    stop = 1;
}

/* Makes the calls; what became of them is in `tally`. */
static void
run(const char *address, uint64_t count, uint32_t connections, uint32_t in_flight,
    uint32_t timeout_ms)
{
    static char word[] = "send";
    char *argv[] = {word, NULL};
    struct send_options options;
    struct complaint complaint;
    struct send_request *request = NULL;
    assert_int_equal(send_options_parse(&options, 1, argv, &complaint), 0);
    assert_int_equal(send_request_open(&request, &options), 0);
    const struct send_load_plan plan = {
        .address = address,
        .request = request,
        .count = count,
        .connections = connections,
        .in_flight = in_flight,
        .timeout_ms = timeout_ms,
        .stop = &stop,
        .progress = count_progress,
    };
    stop = 0;
    progress_count = 0;
    assert_int_equal(send_load_run(&plan, &tally), 0);
    assert_int_equal(tally.planned, count);
    send_request_close(&request);
    send_options_close(&options);
}

static void
test_all_are_answered(void **state)
{
    struct server server;
    server_open(&server, *state, ANSWER);
    run(server.address, 100, 3, 4, 10000);
    server_close(&server);
    assert_int_equal(server.count, 100);
    assert_int_equal(tally.answered, 100);
    assert_int_equal(tally.by_status[GRPC_STATUS_OK], 100);
    assert_int_equal(tally.latency.count, 100);
    assert_true(tally.latency.max_ns <= tally.elapsed_ns);
}

/* More connections than calls are not opened; the others share what is left over. */
static void
test_fewer_calls_than_connections(void **state)
{
    struct server server;
    server_open(&server, *state, ANSWER);
    run(server.address, 2, 5, 10, 10000);
    server_close(&server);
    assert_int_equal(server.count, 2);
    assert_int_equal(tally.by_status[GRPC_STATUS_OK], 2);
}

static void
test_refusals(void **state)
{
    struct server server;
    server_open(&server, *state, REFUSE);
    run(server.address, 10, 1, 2, 10000);
    server_close(&server);
    assert_int_equal(tally.answered, 10);
    assert_int_equal(tally.by_status[GRPC_STATUS_INVALID_ARGUMENT], 10);
    assert_int_equal(tally.latency.count, 0);
    assert_string_equal(tally.first_message[GRPC_STATUS_INVALID_ARGUMENT], "no \x01 thanks");
}

/* A status without a message is no answer. */
static void
test_ok_without_a_message(void **state)
{
    struct server server;
    server_open(&server, *state, SAY_NOTHING);
    run(server.address, 1, 1, 1, 10000);
    server_close(&server);
    assert_int_equal(tally.answered, 1);
    assert_int_equal(tally.by_status[GRPC_STATUS_OK], 0);
    assert_int_equal(tally.by_status[GRPC_STATUS_INTERNAL], 1);
    assert_string_equal(tally.first_message[GRPC_STATUS_INTERNAL],
                        "answered OK, but without a message");
}

static void
test_timeout(void **state)
{
    struct server server;
    server_open(&server, *state, IGNORE);
    run(server.address, 3, 1, 3, 200);
    server_close(&server);
    assert_int_equal(tally.by_status[GRPC_STATUS_DEADLINE_EXCEEDED], 3);
}

static void
test_nobody_there(void **state)
{
    const struct scratch *scratch = *state;
    char address[128];
    (void)snprintf(address, sizeof(address), "unix://%s/nobody", scratch->path);
    run(address, 4, 2, 1, 10000);
    assert_int_equal(tally.answered, 4);
    assert_int_equal(tally.by_status[GRPC_STATUS_UNAVAILABLE], 4);
    assert_true(tally.first_message[GRPC_STATUS_UNAVAILABLE][0] != '\0');
}

/* count_progress() asks to stop after a second: no further call begins, and those in flight are
 * cancelled a second later. */
static void
test_stop(void **state)
{
    struct server server;
    server_open(&server, *state, IGNORE);
    run(server.address, 100, 1, 4, 60000);
    server_close(&server);
    assert_true(progress_count >= 1);
    assert_int_equal(tally.answered, 4);
    assert_int_equal(tally.by_status[GRPC_STATUS_CANCELLED], 4);
    assert_true(tally.elapsed_ns < UINT64_C(30000000000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_are_answered, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_fewer_calls_than_connections, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_ok_without_a_message, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_timeout, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_stop, scratch_setup, scratch_teardown),
    };
    channel_set_up_grpc();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    grpc_shutdown();
    return failed;
}
