/* health_service_test.c -- Check says how the adapter does, and Watch whenever that changes. */
#include "tests/unit/worker/services/fake_stream.h"

#include "common/heritage.h"
#include "common/scoreboard.h"
#include "worker/services/health_service.h"

#define WORKERS 2U

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})
#define WHOLE BYTES("")
#define METRIC BYTES("\x0a\x1ametric.HandleMetricService")
#define LIVENESS BYTES("\x0a\x08liveness")
#define NOBODY BYTES("\x0a\x06nobody")
#define MALFORMED BYTES("\x0a\x7f")

/* Responses: field 1, an enumeration. */
#define SERVING BYTES("\x08\x01")
#define NOT_SERVING BYTES("\x08\x02")
#define SERVICE_UNKNOWN BYTES("\x08\x03")

struct fixture {
    struct heritage heritage;
    struct methods methods;
    struct health_service *service;
    struct stream stream;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->heritage.worker_count = WORKERS;
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, WORKERS + 1), 0);
    assert_int_equal(health_service_open(&f->service, &f->methods, &f->heritage), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    health_service_close(&f->service);
    assert_null(f->service);
    scoreboard_close(&f->heritage.scoreboard);
    free(f);
    return 0;
}

static void
set_healthy(const struct fixture *f, uint32_t worker, uint32_t healthy)
{
    atomic_store(&f->heritage.scoreboard->slots[worker].process.healthy, healthy);
}

static void
expect_answer(const struct fixture *f, struct bytes request, struct bytes response)
{
    const struct unary_method *check = &f->methods.unary[0];
    struct unary_answer answer = {.status = GRPC_STATUS_OK};
    check->answer(check->context, request, 1, &answer);
    assert_int_equal(answer.status, GRPC_STATUS_OK);
    assert_true(bytes_equal(answer.body, response));
}

static void
expect_check_refused(const struct fixture *f, struct bytes request, grpc_status_code status)
{
    const struct unary_method *check = &f->methods.unary[0];
    struct unary_answer answer = {.status = GRPC_STATUS_OK};
    check->answer(check->context, request, 1, &answer);
    assert_int_equal(answer.status, status);
    assert_string_not_equal(answer.message, "");
}

static void
take(struct fixture *f, struct bytes message)
{
    const struct stream_method *watch = &f->methods.streams[0];
    watch->message(watch->context, &f->stream, message);
}

static void
tick(struct fixture *f, bool draining)
{
    const struct stream_method *watch = &f->methods.streams[0];
    watch->tick(watch->context, &f->stream, draining);
}

static void
expect_sent(const struct fixture *f, size_t count, struct bytes last)
{
    assert_int_equal(f->stream.sent, count);
    assert_true(bytes_equal((struct bytes){f->stream.message, f->stream.message_bytes}, last));
    assert_false(f->stream.ended);
}

static void
expect_ended(const struct fixture *f)
{
    assert_true(f->stream.ended);
    assert_int_equal(f->stream.status, GRPC_STATUS_INVALID_ARGUMENT);
    assert_string_not_equal(f->stream.end_message, "");
}

static void
test_its_methods_are_those_of_the_protocol(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->methods.unary_count, 1);
    assert_string_equal(f->methods.unary[0].path, "/grpc.health.v1.Health/Check");
    assert_int_equal(f->methods.stream_count, 1);
    assert_string_equal(f->methods.streams[0].path, "/grpc.health.v1.Health/Watch");
    assert_true(f->methods.streams[0].state_bytes <= sizeof(f->stream.state));
}

static void
test_one_healthy_worker_serves(void **state)
{
    struct fixture *f = *state;
    expect_answer(f, WHOLE, NOT_SERVING);
    set_healthy(f, 1, 1);
    expect_answer(f, WHOLE, SERVING);
    expect_answer(f, METRIC, SERVING);
}

static void
test_one_that_refuses_calls_takes_the_adapter_out(void **state)
{
    struct fixture *f = *state;
    set_healthy(f, 0, 1);
    set_healthy(f, 1, 1);
    atomic_store(&f->heritage.scoreboard->slots[1].refuses, 1);
    expect_answer(f, METRIC, NOT_SERVING);
    atomic_store(&f->heritage.scoreboard->slots[1].refuses, 0);
    expect_answer(f, METRIC, SERVING);
}

static void
test_it_is_alive_as_long_as_it_answers(void **state)
{
    expect_answer(*state, LIVENESS, SERVING);
}

static void
test_what_is_no_question_is_refused(void **state)
{
    expect_check_refused(*state, NOBODY, GRPC_STATUS_NOT_FOUND);
    expect_check_refused(*state, MALFORMED, GRPC_STATUS_INVALID_ARGUMENT);
}

static void
test_watch_says_each_change_once(void **state)
{
    struct fixture *f = *state;
    take(f, WHOLE);
    expect_sent(f, 1, NOT_SERVING);
    tick(f, false);
    expect_sent(f, 1, NOT_SERVING);
    set_healthy(f, 0, 1);
    tick(f, false);
    expect_sent(f, 2, SERVING);
    take(f, (struct bytes){NULL, 0}); /* the one request is all that a client sends */
    tick(f, false);
    expect_sent(f, 2, SERVING);
}

static void
test_watch_waits_while_a_message_is_on_its_way(void **state)
{
    struct fixture *f = *state;
    take(f, METRIC);
    set_healthy(f, 0, 1);
    f->stream.is_sending = true;
    tick(f, false);
    expect_sent(f, 1, NOT_SERVING);
    f->stream.is_sending = false;
    tick(f, false);
    expect_sent(f, 2, SERVING);
}

static void
test_a_drain_is_the_last_that_watch_says(void **state)
{
    struct fixture *f = *state;
    set_healthy(f, 0, 1);
    take(f, METRIC);
    expect_sent(f, 1, SERVING);
    tick(f, true);
    expect_sent(f, 2, NOT_SERVING);
}

static void
test_watch_knows_what_is_unknown(void **state)
{
    struct fixture *f = *state;
    tick(f, false); /* nothing was asked yet */
    assert_int_equal(f->stream.sent, 0);
    take(f, NOBODY);
    expect_sent(f, 1, SERVICE_UNKNOWN);
}

static void
test_watch_takes_one_request(void **state)
{
    struct fixture *f = *state;
    take(f, WHOLE);
    take(f, WHOLE);
    expect_ended(f);
}

static void
test_watch_takes_no_end_before_the_request(void **state)
{
    struct fixture *f = *state;
    take(f, (struct bytes){NULL, 0});
    expect_ended(f);
}

static void
test_watch_takes_nothing_malformed(void **state)
{
    struct fixture *f = *state;
    take(f, MALFORMED);
    expect_ended(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_its_methods_are_those_of_the_protocol),
        TEST(test_one_healthy_worker_serves),
        TEST(test_one_that_refuses_calls_takes_the_adapter_out),
        TEST(test_it_is_alive_as_long_as_it_answers),
        TEST(test_what_is_no_question_is_refused),
        TEST(test_watch_says_each_change_once),
        TEST(test_watch_waits_while_a_message_is_on_its_way),
        TEST(test_a_drain_is_the_last_that_watch_says),
        TEST(test_watch_knows_what_is_unknown),
        TEST(test_watch_takes_one_request),
        TEST(test_watch_takes_no_end_before_the_request),
        TEST(test_watch_takes_nothing_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
