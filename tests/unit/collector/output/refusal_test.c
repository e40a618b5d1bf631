/* refusal_test.c -- how long an output is left alone, however often it refuses. */
#include "tests/unit/scratch.h"

#include "collector/output/refusal.h"

static void
test_the_back_off_doubles_up_to_a_second(void **state)
{
    static const uint64_t expected[] = {20, 40, 80, 160, 320, 640, 1000, 1000};
    struct refusal refusal = {.stands = false};
    (void)state;
    assert_int_equal(refusal_retry_in_ms(&refusal, 0), UINT64_MAX);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        refusal_begin(&refusal, "out", -EAGAIN, 5000);
        assert_true(refusal.stands);
        assert_int_equal(refusal_retry_in_ms(&refusal, 5000), expected[i]);
    }
    assert_int_equal(refusal_retry_in_ms(&refusal, 5999), 1);
    assert_int_equal(refusal_retry_in_ms(&refusal, 9000), 0);
    refusal_end(&refusal, "out");
    assert_int_equal(refusal_retry_in_ms(&refusal, 9000), UINT64_MAX);
}

/* Time alone gives nothing up: after a day of refusals it is tried again every second. */
static void
test_however_long_an_output_refuses_it_is_tried_again(void **state)
{
    struct refusal refusal = {.stands = false};
    uint64_t now_ms = 1000;
    (void)state;
    while (now_ms < 86400000) {
        refusal_begin(&refusal, "out", -EISDIR, now_ms);
        assert_true(refusal.stands);
        assert_true(refusal_retry_in_ms(&refusal, now_ms) <= 1000);
        now_ms += refusal_retry_in_ms(&refusal, now_ms);
        assert_int_equal(refusal_retry_in_ms(&refusal, now_ms), 0);
    }
}

static void
test_the_back_off_begins_anew_after_progress_and_lasts_without(void **state)
{
    struct refusal refusal = {.stands = false};
    (void)state;
    refusal_begin(&refusal, "out", -ENOSPC, 0);
    refusal_begin(&refusal, "out", -ENOSPC, 0);
    assert_int_equal(refusal_retry_in_ms(&refusal, 0), 40);
    refusal_note_ready(&refusal); /* it could, but then it took nothing */
    assert_int_equal(refusal_retry_in_ms(&refusal, 0), UINT64_MAX);
    refusal_begin(&refusal, "out", -ENOSPC, 0);
    assert_int_equal(refusal_retry_in_ms(&refusal, 0), 80);
    refusal_note_progress(&refusal);
    refusal_begin(&refusal, "out", -ENOSPC, 0);
    assert_int_equal(refusal_retry_in_ms(&refusal, 0), 20);
}

static void
test_the_oldest_of_what_waits_is_known_until_all_is_taken(void **state)
{
    struct refusal refusal = {.stands = false};
    (void)state;
    refusal_add_waiting(&refusal, 0); /* unknown */
    assert_int_equal(refusal.oldest_ns, 0);
    refusal_add_waiting(&refusal, 70);
    refusal_add_waiting(&refusal, 50);
    refusal_add_waiting(&refusal, 60);
    assert_int_equal(refusal.oldest_ns, 50);
    refusal_end(&refusal, "out");
    assert_int_equal(refusal.oldest_ns, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_back_off_doubles_up_to_a_second),
        cmocka_unit_test(test_however_long_an_output_refuses_it_is_tried_again),
        cmocka_unit_test(test_the_back_off_begins_anew_after_progress_and_lasts_without),
        cmocka_unit_test(test_the_oldest_of_what_waits_is_known_until_all_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
