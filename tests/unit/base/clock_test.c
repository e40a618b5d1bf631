/* clock_test.c -- each clock is the kernel's of that name, in its unit. */
#include "tests/unit/scratch.h"

#include <time.h>

#include "base/clock.h"

/* Each clock is the kernel's of that name, in its unit. */
static void
test_clocks(void **state)
{
    (void)state;
    struct timespec monotonic;
    struct timespec real;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &monotonic), 0);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &real), 0);
    uint64_t ms = clock_monotonic_ms();
    uint64_t ns = clock_monotonic_ns();
    uint64_t since_epoch_ns = clock_realtime_ns();
    uint64_t before_ns = (uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec;
    assert_true(ns >= before_ns && ns - before_ns < UINT64_C(60000000000));
    assert_true(ms >= before_ns / 1000000 && ms <= ns / 1000000);
    uint64_t real_s = since_epoch_ns / 1000000000;
    assert_true(real_s >= (uint64_t)real.tv_sec && real_s < (uint64_t)real.tv_sec + 60);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
