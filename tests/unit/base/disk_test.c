/* disk_test.c -- a sync that fails ends the process, which says what could not be synced, and
 * nothing runs after it. */
#include "tests/unit/ending.h"

#include <stdlib.h>
#include <string.h>

#include "base/disk.h"

static void
say_at_exit(void)
{
    static const char text[] = "a handler of exit() ran";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

/* fsync(2) refuses a pipe. */
static void
sync_pipe(void *context)
{
    int ends[2];
    (void)!pipe(ends);
    (void)atexit(say_at_exit);
    if (context != NULL)
        disk_sync_data(ends[1], context);
    else
        disk_sync(ends[1], "a name");
}

static void
sync_nothing(void *context)
{
    (void)context;
    disk_sync(-1, "nothing");
}

static void
test_a_sync_that_fails_ends_the_process(void **state)
{
    (void)state;
    char name[] = "0-1-2.open";
    struct ending ending = ending_of(sync_pipe, name);
    assert_int_equal(ending_exit_code(&ending), EXIT_FAILURE);
    assert_non_null(strstr(ending.text, "the disk cannot be synced; this process ends "
                                        "what=0-1-2.open error=\"Invalid argument\""));
    assert_null(strstr(ending.text, "a handler"));
    ending = ending_of(sync_pipe, NULL);
    assert_int_equal(ending_exit_code(&ending), EXIT_FAILURE);
    assert_non_null(strstr(ending.text, "what=\"a name\" error=\"Invalid argument\""));
}

static void
test_what_is_synced_is_open(void **state)
{
    (void)state;
    struct ending ending = ending_of(sync_nothing, NULL);
    assert_true(WIFSIGNALED(ending.status));
    assert_non_null(strstr(ending.text, "fd >= 0"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sync_that_fails_ends_the_process),
        cmocka_unit_test(test_what_is_synced_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
