/* departure_test.c -- when the GOAWAYs of a drain are due, by a clock that the test turns. */
#include "worker/grpc/departure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BEGAN_MS 10000U
#define TIMEOUT_MS 15000U

static struct departure
begin(enum drain_reason reason)
{
    struct departure departure = {.reason = DRAIN_ORDERED};
    departure_begin(&departure, reason, BEGAN_MS, TIMEOUT_MS);
    return departure;
}

static void
test_orders_are_obeyed_at_once(void **state)
{
    (void)state;
    struct departure ordered = begin(DRAIN_ORDERED);
    assert_true(departure_is_due(&ordered, true, BEGAN_MS));
    assert_int_equal(ordered.deadline_ms, BEGAN_MS + TIMEOUT_MS);
    struct departure orphaned = begin(DRAIN_ORPHANED);
    assert_true(departure_is_due(&orphaned, true, BEGAN_MS));
    assert_int_equal(orphaned.deadline_ms, BEGAN_MS + 1000);
}

static void
test_replaced_waits_for_a_handshake_after_the_last_sibling(void **state)
{
    (void)state;
    struct departure departure = begin(DRAIN_REPLACED);
    assert_false(departure_is_due(&departure, true, BEGAN_MS));
    assert_false(departure_is_due(&departure, false, BEGAN_MS + 10));
    /* One of them takes connections again: the wait begins anew. */
    assert_false(departure_is_due(&departure, true, BEGAN_MS + 300));
    assert_false(departure_is_due(&departure, false, BEGAN_MS + 310));
    assert_false(departure_is_due(&departure, false, BEGAN_MS + 809));
    assert_true(departure_is_due(&departure, false, BEGAN_MS + 810));
}

static void
test_siblings_that_go_on_are_waited_for_a_second(void **state)
{
    (void)state;
    struct departure departure = begin(DRAIN_REPLACED);
    for (uint64_t ms = 0; ms < 1500; ms += 10)
        assert_false(departure_is_due(&departure, true, BEGAN_MS + ms));
    assert_true(departure_is_due(&departure, true, BEGAN_MS + 1500));
}

static void
test_deadline_ends_every_wait(void **state)
{
    (void)state;
    struct departure departure = {.reason = DRAIN_ORDERED};
    departure_begin(&departure, DRAIN_REPLACED, BEGAN_MS, 100);
    assert_false(departure_is_due(&departure, true, BEGAN_MS + 99));
    assert_true(departure_is_due(&departure, true, BEGAN_MS + 100));
}

static void
test_more_urgent_reason_counts_less_urgent_does_not(void **state)
{
    (void)state;
    struct departure departure = begin(DRAIN_REPLACED);
    departure_hasten(&departure, DRAIN_REPLACED);
    assert_false(departure_is_due(&departure, true, BEGAN_MS));
    departure_hasten(&departure, DRAIN_ORDERED);
    assert_true(departure_is_due(&departure, true, BEGAN_MS));
    departure_hasten(&departure, DRAIN_REPLACED);
    assert_true(departure_is_due(&departure, true, BEGAN_MS));
    assert_int_equal(departure.deadline_ms, BEGAN_MS + TIMEOUT_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_are_obeyed_at_once),
        cmocka_unit_test(test_replaced_waits_for_a_handshake_after_the_last_sibling),
        cmocka_unit_test(test_siblings_that_go_on_are_waited_for_a_second),
        cmocka_unit_test(test_deadline_ends_every_wait),
        cmocka_unit_test(test_more_urgent_reason_counts_less_urgent_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
