/* awake_clock_test.c -- time that the master overslept does not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/awake_clock.h"

static void
test_runs_with_the_monotonic_clock(void **state)
{
    (void)state;
    struct awake_clock clock = {0};
    assert_int_equal(awake_clock_now(&clock, 5000), 5000);
    assert_int_equal(awake_clock_sleep(&clock, 6000), 6000);
    assert_int_equal(awake_clock_now(&clock, 5500), 5500); /* woken early */
    assert_int_equal(awake_clock_sleep(&clock, 6000), 6000);
    assert_int_equal(awake_clock_now(&clock, 6000 + AWAKE_CLOCK_TOLERANCE_MS), 7000);
    assert_int_equal(awake_clock_now(&clock, 999000), 999000); /* busy, not asleep */
}

static void
test_oversleeping_does_not_count(void **state)
{
    (void)state;
    struct awake_clock clock = {0};
    (void)awake_clock_now(&clock, 5000);
    (void)awake_clock_sleep(&clock, 6000);
    assert_int_equal(awake_clock_now(&clock, 66000), 6000);
    assert_int_equal(awake_clock_now(&clock, 66010), 6010);
    assert_int_equal(awake_clock_sleep(&clock, 7000), 67000);
    assert_int_equal(awake_clock_now(&clock, 67000), 7000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_with_the_monotonic_clock),
        cmocka_unit_test(test_oversleeping_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
