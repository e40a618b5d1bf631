/* collector_lock_test.c -- one collector to a segment directory, whatever becomes of its files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "collector/collector_lock.h"
#include "tests/unit/scratch.h"

#define NAME "collector.lock"

static void
expect_one_at_a_time(const struct scratch *scratch, struct collector_lock *first,
                     struct collector_lock *second)
{
    assert_int_equal(collector_lock_try(second, scratch->fd), -EWOULDBLOCK);
    assert_int_equal(collector_lock_try(second, scratch->fd), -EWOULDBLOCK);
    collector_lock_close(first);
    assert_int_equal(collector_lock_try(second, scratch->fd), 0);
    assert_int_equal(collector_lock_try(first, scratch->fd), -EWOULDBLOCK);
    collector_lock_close(first);
    collector_lock_close(second);
}

static void
test_second_waits(void **state)
{
    const struct scratch *scratch = *state;
    struct collector_lock first = COLLECTOR_LOCK_NONE;
    struct collector_lock second = COLLECTOR_LOCK_NONE;
    assert_int_equal(collector_lock_try(&first, scratch->fd), 0);
    expect_one_at_a_time(scratch, &first, &second);
}

static void
test_removed_file(void **state)
{
    const struct scratch *scratch = *state;
    struct collector_lock first = COLLECTOR_LOCK_NONE;
    struct collector_lock second = COLLECTOR_LOCK_NONE;
    assert_int_equal(collector_lock_try(&first, scratch->fd), 0);
    assert_int_equal(unlinkat(scratch->fd, NAME, 0), 0);
    expect_one_at_a_time(scratch, &first, &second);
}

static void
test_renamed_file(void **state)
{
    const struct scratch *scratch = *state;
    struct collector_lock first = COLLECTOR_LOCK_NONE;
    struct collector_lock second = COLLECTOR_LOCK_NONE;
    assert_int_equal(collector_lock_try(&first, scratch->fd), 0);
    assert_int_equal(renameat(scratch->fd, NAME, scratch->fd, "aside"), 0);
    expect_one_at_a_time(scratch, &first, &second);
}

/* The file that is waited for is not the one that counts in the end. */
static void
test_removed_while_it_waits(void **state)
{
    const struct scratch *scratch = *state;
    struct collector_lock first = COLLECTOR_LOCK_NONE;
    struct collector_lock second = COLLECTOR_LOCK_NONE;
    assert_int_equal(collector_lock_try(&first, scratch->fd), 0);
    assert_int_equal(collector_lock_try(&second, scratch->fd), -EWOULDBLOCK);
    assert_int_equal(unlinkat(scratch->fd, NAME, 0), 0);
    assert_int_equal(collector_lock_try(&second, scratch->fd), -EWOULDBLOCK);
    expect_one_at_a_time(scratch, &first, &second);
}

/* A collector of an earlier release locks the file alone. */
static void
test_earlier_release(void **state)
{
    const struct scratch *scratch = *state;
    struct collector_lock lock = COLLECTOR_LOCK_NONE;
    int fd = openat(scratch->fd, NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(collector_lock_try(&lock, scratch->fd), -EWOULDBLOCK);
    (void)close(fd);
    assert_int_equal(collector_lock_try(&lock, scratch->fd), 0);
    fd = openat(scratch->fd, NAME, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    (void)close(fd);
    collector_lock_close(&lock);
}

static void
test_no_file_to_lock(void **state)
{
    const struct scratch *scratch = *state;
    struct collector_lock lock = COLLECTOR_LOCK_NONE;
    assert_int_equal(symlinkat("elsewhere", scratch->fd, NAME), 0);
    assert_int_equal(collector_lock_try(&lock, scratch->fd), -ELOOP);
    collector_lock_close(&lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_second_waits),           TEST(test_removed_file),    TEST(test_renamed_file),
        TEST(test_removed_while_it_waits), TEST(test_earlier_release), TEST(test_no_file_to_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
