/* tally_test.c -- what is counted lands in its bucket, once. */
#include "tests/unit/scratch.h"

#include <grpc/status.h>

#include "common/tally.h"

static void
test_a_value_lands_in_the_first_bucket_that_holds_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TALLY_BUCKETS; i++) {
        struct tally_histogram histogram = {.sum_ns = 0};
        tally_observe(&histogram, tally_bounds_ns[i]);
        assert_int_equal(tally_get(&histogram.buckets[i]), 1);
        tally_observe(&histogram, tally_bounds_ns[i] + 1);
        assert_int_equal(tally_get(&histogram.buckets[i]), 1);
        assert_int_equal(tally_get(&histogram.buckets[i + 1]), 1);
        assert_int_equal(tally_get(&histogram.sum_ns), 2 * tally_bounds_ns[i] + 1);
        assert_true(i == 0 || tally_bounds_ns[i] > tally_bounds_ns[i - 1]);
    }
}

static void
test_a_guess_changes_nothing_but_the_way(void **state)
{
    (void)state;
    for (uint32_t guess = 0; guess <= TALLY_BUCKETS; guess++) {
        for (uint32_t i = 0; i <= TALLY_BUCKETS; i++) {
            struct tally_histogram histogram = {.sum_ns = 0};
            uint32_t near = guess;
            uint64_t ns = i < TALLY_BUCKETS ? tally_bounds_ns[i] : tally_bounds_ns[i - 1] + 1;
            tally_observe_near(&histogram, ns, &near);
            assert_int_equal(near, i);
            assert_int_equal(tally_get(&histogram.buckets[i]), 1);
        }
    }
}

static void
test_the_ends_are_open(void **state)
{
    (void)state;
    struct tally_histogram histogram = {.sum_ns = 0};
    tally_observe(&histogram, 0);
    tally_observe(&histogram, UINT64_MAX / 2);
    assert_int_equal(tally_get(&histogram.buckets[0]), 1);
    assert_int_equal(tally_get(&histogram.buckets[TALLY_BUCKETS]), 1);
}

static void
test_a_counter_adds_and_a_gauge_replaces(void **state)
{
    (void)state;
    _Atomic uint64_t number = 0;
    tally_add(&number, 3);
    tally_add(&number, 4);
    assert_int_equal(tally_get(&number), 7);
    tally_set(&number, 2);
    assert_int_equal(tally_get(&number), 2);
}

static void
test_statuses_have_the_names_that_grpc_gives_them(void **state)
{
    (void)state;
#define CHECK(name) assert_string_equal(tally_status_name(GRPC_STATUS_##name), #name)
    CHECK(OK);
    CHECK(CANCELLED);
    CHECK(UNKNOWN);
    CHECK(INVALID_ARGUMENT);
    CHECK(DEADLINE_EXCEEDED);
    CHECK(NOT_FOUND);
    CHECK(ALREADY_EXISTS);
    CHECK(PERMISSION_DENIED);
    CHECK(RESOURCE_EXHAUSTED);
    CHECK(FAILED_PRECONDITION);
    CHECK(ABORTED);
    CHECK(OUT_OF_RANGE);
    CHECK(UNIMPLEMENTED);
    CHECK(INTERNAL);
    CHECK(UNAVAILABLE);
    CHECK(DATA_LOSS);
    CHECK(UNAUTHENTICATED);
#undef CHECK
    assert_string_equal(tally_status_name(TALLY_STATUSES), "UNKNOWN");
}

static void
test_every_death_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < TALLY_DEATHS; i++) {
        for (int j = 0; j < i; j++)
            assert_string_not_equal(tally_death_name((enum tally_death)i),
                                    tally_death_name((enum tally_death)j));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_lands_in_the_first_bucket_that_holds_it),
        cmocka_unit_test(test_a_guess_changes_nothing_but_the_way),
        cmocka_unit_test(test_the_ends_are_open),
        cmocka_unit_test(test_a_counter_adds_and_a_gauge_replaces),
        cmocka_unit_test(test_statuses_have_the_names_that_grpc_gives_them),
        cmocka_unit_test(test_every_death_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
