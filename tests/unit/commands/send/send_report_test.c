/* send_report_test.c -- the words for what became of the calls. */
#include "tests/unit/scratch.h"

#include "commands/send/send_load.h"
#include "commands/send/send_report.h"

#define MS UINT64_C(1000000)

static void
assert_reported(const struct send_load_tally *tally, uint64_t instance_count, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    send_report_print(out, tally, instance_count);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

/* A tally is large; one that is all zeros. */
static struct send_load_tally *
clear_tally(void)
{
    static struct send_load_tally tally;
    tally = (struct send_load_tally){.planned = 0};
    return &tally;
}

static void
test_one_call(void **state)
{
    (void)state;
    struct send_load_tally *tally = clear_tally();
    tally->planned = tally->answered = tally->by_status[0] = 1;
    assert_reported(tally, 1, "OK\n");
    tally->by_status[0] = 0;
    tally->by_status[3] = 1;
    (void)strcpy(tally->first_message[3], "file_path: leaves output.root");
    assert_reported(tally, 1, "INVALID_ARGUMENT: file_path: leaves output.root\n");
}

/* A message comes from a peer: it cannot move the cursor, nor begin a line. */
static void
test_messages_are_shown(void **state)
{
    (void)state;
    struct send_load_tally *tally = clear_tally();
    tally->planned = tally->answered = tally->by_status[13] = 1;
    (void)strcpy(tally->first_message[13], "a\x1b[2J\nb\x7f\\");
    assert_reported(tally, 0, "INTERNAL: a\\x1b[2J\\nb\\x7f\\\\\n");
}

static void
test_many_calls(void **state)
{
    (void)state;
    struct send_load_tally *tally = clear_tally();
    tally->planned = 5;
    tally->answered = 5;
    tally->by_status[0] = 2;
    tally->by_status[8] = 3;
    tally->elapsed_ns = 500 * MS;
    (void)strcpy(tally->first_message[8], "the volume is full");
    latency_add(&tally->latency, 100 * MS);
    latency_add(&tally->latency, 100 * MS);
    assert_reported(
        tally, 10,
        "calls: 5\n"
        "OK: 2\n"
        "failed: 3\n"
        "  RESOURCE_EXHAUSTED: 3, the first: the volume is full\n"
        "elapsed: 0.500 s\n"
        "rate: 4 calls/s, 40 instances/s\n"
        "latency (ms): min 100.000, p50 100.000, p90 100.000, p99 100.000, p99.9 100.000, "
        "max 100.000\n");
}

/* Without a call that was answered OK there is no latency; with an unknown request no instances. */
static void
test_interrupted(void **state)
{
    (void)state;
    struct send_load_tally *tally = clear_tally();
    tally->planned = 1000;
    tally->answered = 2;
    tally->by_status[14] = 2;
    assert_reported(tally, 0,
                    "calls: 2 of 1000, interrupted\n"
                    "OK: 0\n"
                    "failed: 2\n"
                    "  UNAVAILABLE: 2, the first: \n"
                    "elapsed: 0.000 s\n"
                    "rate: 0 calls/s\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call),
        cmocka_unit_test(test_messages_are_shown),
        cmocka_unit_test(test_many_calls),
        cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
