/* descriptors_test.c -- descriptors_left() says how many more can be opened, to the last one. */
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "base/descriptors.h"

static void
test_it_counts_what_is_left(void **state)
{
    (void)state;
    struct rlimit before;
    int lowest = dup(STDERR_FILENO);
    assert_true(lowest >= 0);
    (void)close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned room = 0; room < 5; room++) {
        struct rlimit limit = {(rlim_t)lowest + room, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        bool one_less = room == 0 || descriptors_left(room);
        bool one_more = descriptors_left(room + 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_true(one_less);
        assert_false(one_more);
    }
}

static void
test_above_one_that_was_free(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit limit = {64, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    bool last = descriptors_above(63, 0);
    bool behind_last = descriptors_above(63, 1);
    bool some = descriptors_above(53, 10);
    bool too_many = descriptors_above(53, 11);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(last && some);
    assert_false(behind_last || too_many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_counts_what_is_left),
        cmocka_unit_test(test_above_one_that_was_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
