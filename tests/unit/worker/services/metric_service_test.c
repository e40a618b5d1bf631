/* metric_service_test.c -- a call that is taken is in the journal and counted; one that is
 * refused has the status, the message and the count of its cause, and leaves nothing. */
#include "tests/unit/scratch.h"

#include <sys/eventfd.h>

#include "common/admission.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/service.h"
#include "worker/journal.h"
#include "worker/services/metric_service.h"

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

/* adapter_config with a file_path of one letter, and an instance of nothing. */
#define FILE_PATH(letter) "\x12\x05\x12\x03\x0a\x01" letter
#define INSTANCE "\x0a\x00"

#define NOW_MS (UINT64_C(1) << 50)

struct fixture {
    struct scratch root;
    struct settings settings;
    struct heritage heritage;
    struct methods methods;
    struct journal *journal;
    struct metric_service *service;
    struct unary_answer answer;
};

/* Opens the service with the settings that there are now. */
static void
begin(struct fixture *f)
{
    assert_int_equal(admission_open(&f->heritage.admission, (uint32_t)f->settings.output_max_files),
                     0);
    assert_int_equal(journal_open(&f->journal, &f->heritage), 0);
    assert_int_equal(metric_service_open(&f->service, &f->methods, &f->heritage, f->journal), 0);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    assert_int_equal(mkdirat(f->root.fd, "segments", 0700), 0);
    f->settings = (struct settings){
        .workers_max_message_bytes = 65536,
        .workers_max_text_bytes = 65536,
        .segments_size_bytes = 65536,
        .segments_limit_bytes = 1 << 20,
        .output_root = f->root.path,
        .output_max_files = 10,
    };
    f->heritage.settings = &f->settings;
    f->heritage.worker_count = 1;
    f->heritage.incarnation = 1;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f->root.fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(f->heritage.fds[HERITAGE_FD_SEGMENTS] >= 0 &&
                f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] >= 0);
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, 2), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    metric_service_close(&f->service);
    assert_null(f->service);
    journal_close(&f->journal);
    admission_close(&f->heritage.admission);
    scoreboard_close(&f->heritage.scoreboard);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
    (void)close(f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
    scratch_close(&f->root);
    free(f);
    return 0;
}

static const struct worker_tally *
tally(const struct fixture *f)
{
    return &f->heritage.scoreboard->slots[0].worker;
}

static void
call(struct fixture *f, struct bytes request)
{
    const struct unary_method *method = &f->methods.unary[0];
    f->answer = (struct unary_answer){.status = GRPC_STATUS_OK};
    method->answer(method->context, request, NOW_MS, &f->answer);
}

static void
expect_taken(struct fixture *f, struct bytes request)
{
    call(f, request);
    assert_string_equal(f->answer.message, "");
    assert_int_equal(f->answer.status, GRPC_STATUS_OK);
    assert_int_equal(f->answer.body.size, 0);
}

/* Expects a refusal, whose message says `words`, and which is counted once, by its cause alone. */
static void
expect_refused(struct fixture *f, struct bytes request, enum refusal_cause cause,
               grpc_status_code status, const char *words)
{
    uint64_t before[REFUSAL_CAUSE_COUNT];
    uint64_t taken_bytes = tally_get(&tally(f)->request_bytes);
    for (unsigned i = 0; i < REFUSAL_CAUSE_COUNT; i++)
        before[i] = tally_get(&tally(f)->refusals[i]);
    call(f, request);
    assert_int_equal(f->answer.status, status);
    assert_non_null(strstr(f->answer.message, words));
    for (unsigned i = 0; i < REFUSAL_CAUSE_COUNT; i++)
        assert_int_equal(tally_get(&tally(f)->refusals[i]) - before[i], i == cause);
    assert_int_equal(tally_get(&tally(f)->request_bytes), taken_bytes);
}

static void
test_what_is_taken_is_counted(void **state)
{
    struct fixture *f = *state;
    const struct bytes request = BYTES(FILE_PATH("a") INSTANCE INSTANCE);
    begin(f);
    assert_string_equal(f->methods.unary[0].path, "/metric.HandleMetricService/HandleMetric");
    assert_ptr_equal(f->methods.unary[0].tally, tally(f));
    expect_taken(f, request);
    expect_taken(f, BYTES(""));
    assert_int_equal(tally_get(&tally(f)->request_bytes), request.size);
    assert_int_equal(tally_get(&tally(f)->instances), 2);
    assert_true(tally_get(&tally(f)->text_bytes) > 100);
    assert_int_equal(atomic_load(&f->heritage.scoreboard->first_call), 1);
    assert_false(f->answer.after_sync);
}

static void
test_with_durability_machine_the_answer_waits(void **state)
{
    struct fixture *f = *state;
    f->settings.segments_durability = DURABILITY_MACHINE;
    begin(f);
    expect_taken(f, BYTES(FILE_PATH("a")));
    assert_true(f->answer.after_sync);
}

static void
test_what_the_client_has_wrong(void **state)
{
    struct fixture *f = *state;
    begin(f);
    expect_refused(f, BYTES("\x0a\x7f"), REFUSAL_MALFORMED, GRPC_STATUS_INVALID_ARGUMENT,
                   "instances[0]: length 127 at byte 1");
    expect_refused(f, BYTES("\x12\x03\x0a\x01x"), REFUSAL_MALFORMED, GRPC_STATUS_INVALID_ARGUMENT,
                   "adapter_config is of type \"x\"");
    expect_refused(f, BYTES("\x12\x08\x12\x06\x0a\x04../x"), REFUSAL_FILE_PATH,
                   GRPC_STATUS_INVALID_ARGUMENT, "file_path \"../x\"");
}

static void
test_a_text_beyond_its_limit(void **state)
{
    struct fixture *f = *state;
    f->settings.workers_max_text_bytes = 100;
    begin(f);
    expect_taken(f, BYTES(FILE_PATH("a")));
    expect_refused(f, BYTES(FILE_PATH("a") INSTANCE INSTANCE), REFUSAL_TOO_LARGE,
                   GRPC_STATUS_RESOURCE_EXHAUSTED, "workers.max_text_bytes (100)");
}

static void
test_only_what_can_be_taken_counts_as_an_output(void **state)
{
    struct fixture *f = *state;
    f->settings.output_max_files = 1;
    begin(f);
    expect_refused(f, BYTES(FILE_PATH("a") "\x0a\x7f"), REFUSAL_MALFORMED,
                   GRPC_STATUS_INVALID_ARGUMENT, "byte");
    expect_taken(f, BYTES(FILE_PATH("b")));
    expect_refused(f, BYTES(FILE_PATH("c")), REFUSAL_MAX_FILES, GRPC_STATUS_RESOURCE_EXHAUSTED,
                   "output.max_files (1)");
    expect_taken(f, BYTES(FILE_PATH("b")));
}

static void
test_without_room_in_the_segments(void **state)
{
    struct fixture *f = *state;
    f->settings.segments_limit_bytes = 1000;
    begin(f);
    expect_refused(f, BYTES(FILE_PATH("a")), REFUSAL_SEGMENTS_LIMIT, GRPC_STATUS_RESOURCE_EXHAUSTED,
                   "segments.limit_bytes (1000)");
}

static void
test_without_a_segment_directory(void **state)
{
    struct fixture *f = *state;
    begin(f);
    journal_close(&f->journal);
    metric_service_close(&f->service);
    admission_close(&f->heritage.admission);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f->root.fd, "no directory", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    f->methods.unary_count = 0;
    begin(f);
    expect_refused(f, BYTES(""), REFUSAL_SYSTEM, GRPC_STATUS_UNAVAILABLE, "Not a directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_taken_is_counted),
        TEST(test_with_durability_machine_the_answer_waits),
        TEST(test_what_the_client_has_wrong),
        TEST(test_a_text_beyond_its_limit),
        TEST(test_only_what_can_be_taken_counts_as_an_output),
        TEST(test_without_room_in_the_segments),
        TEST(test_without_a_segment_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
