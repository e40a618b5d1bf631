/* rename_test.c -- a file gets another name and never one that is taken, whether the system has
 * RENAME_NOREPLACE or lacks it. */
#include "tests/unit/scratch.h"

#include "base/rename.h"
#include "tests/unit/refused_calls.h"

static void
rename_to_a_free_name(const struct scratch *scratch)
{
    scratch_put(scratch, "a", "first", 5);
    assert_int_equal(rename_noreplace(scratch->fd, "a", scratch->fd, "b"), 0);
    assert_false(scratch_has(scratch, "a"));
    scratch_expect(scratch, "b", "first");
    assert_int_equal(rename_noreplace(scratch->fd, "a", scratch->fd, "c"), -ENOENT);
    assert_int_equal(unlinkat(scratch->fd, "b", 0), 0);
}

static void
rename_to_a_taken_name(const struct scratch *scratch)
{
    scratch_put(scratch, "a", "first", 5);
    scratch_put(scratch, "b", "second", 6);
    assert_int_equal(rename_noreplace(scratch->fd, "a", scratch->fd, "b"), -EEXIST);
    scratch_expect(scratch, "a", "first");
    scratch_expect(scratch, "b", "second");
    assert_int_equal(symlinkat("nowhere", scratch->fd, "link"), 0);
    assert_int_equal(rename_noreplace(scratch->fd, "a", scratch->fd, "link"), -EEXIST);
    assert_int_equal(unlinkat(scratch->fd, "link", 0), 0);
    assert_int_equal(unlinkat(scratch->fd, "a", 0), 0);
    assert_int_equal(unlinkat(scratch->fd, "b", 0), 0);
}

static void
try_all(void *scratch)
{
    rename_to_a_free_name(scratch);
    rename_to_a_taken_name(scratch);
}

static void
test_where_the_system_has_it(void **state)
{
    try_all(*state);
}

static void
test_where_the_system_lacks_it(void **state)
{
    static const int errors[] = {EINVAL, ENOSYS, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        try_where_refused(SYS_renameat2, errors[i], 4, RENAME_NOREPLACE, try_all, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_where_the_system_has_it),
        TEST(test_where_the_system_lacks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
