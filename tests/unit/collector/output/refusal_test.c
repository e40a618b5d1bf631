/* refusal_test.c -- how long an output is left alone, and when waiting has lasted long enough. */
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

static void
test_only_what_waiting_does_not_mend_becomes_final(void **state)
{
    struct refusal refusal = {.stands = false};
    (void)state;
    refusal_begin(&refusal, "out", -ENOSPC, 1000);
    assert_false(refusal_is_final(&refusal, -ENOSPC, 1000000));
    refusal_begin(&refusal, "out", -EISDIR, 2000);
    refusal_begin(&refusal, "out", -EISDIR, 3000);
    assert_false(refusal_is_final(&refusal, -EISDIR, 6999));
    assert_true(refusal_is_final(&refusal, -EISDIR, 7000));
    assert_false(refusal_is_final(&refusal, -ENOSPC, 7000)); /* now it may pass */
    refusal_begin(&refusal, "out", -ENOSPC, 7000);
    refusal_begin(&refusal, "out", -EISDIR, 8000); /* it begins anew */
    assert_false(refusal_is_final(&refusal, -EISDIR, 12999));
    assert_true(refusal_is_final(&refusal, -EISDIR, 13000));
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
        cmocka_unit_test(test_only_what_waiting_does_not_mend_becomes_final),
        cmocka_unit_test(test_the_oldest_of_what_waits_is_known_until_all_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
