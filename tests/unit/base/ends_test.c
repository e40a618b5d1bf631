/* ends_test.c -- invariant, disk: what ends a process says why, and nothing runs after it. */
#include "tests/unit/ending.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/complaint.h"
#include "base/disk.h"
#include "base/invariant.h"

static void
say_at_exit(void)
{
    static const char text[] = "a handler of exit() ran";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

static void
break_promise(void *context)
{
    const int *value = context;
    INVARIANT(*value == 1);
}

static void
complain_of_nothing(void *context)
{
    struct complaint complaint;
    (void)complain(&complaint, 0, "%s", (const char *)context);
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
assert_aborted(const struct ending *ending, const char *condition)
{
    assert_true(WIFSIGNALED(ending->status));
    assert_int_equal(WTERMSIG(ending->status), SIGABRT);
    assert_non_null(strstr(ending->text, "error main"));
    assert_non_null(strstr(ending->text, "a promise of our own code is broken"));
    assert_non_null(strstr(ending->text, condition));
}

static void
test_a_broken_promise_aborts(void **state)
{
    (void)state;
    int value = 2;
    struct ending ending = ending_of(break_promise, &value);
    assert_aborted(&ending, "condition=\"*value == 1\" function=break_promise "
                            "file=tests/unit/base/ends_test.c line=");
    value = 1;
    ending = ending_of(break_promise, &value);
    assert_int_equal(ending_exit_code(&ending), ENDING_RETURNED);
    assert_string_equal(ending.text, "");
}

static void
test_a_complaint_has_an_exit_code(void **state)
{
    (void)state;
    char text[] = "x";
    struct ending ending = ending_of(complain_of_nothing, text);
    assert_aborted(&ending, "exit_code != 0");
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
    assert_aborted(&ending, "fd >= 0");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_promise_aborts),
        cmocka_unit_test(test_a_complaint_has_an_exit_code),
        cmocka_unit_test(test_a_sync_that_fails_ends_the_process),
        cmocka_unit_test(test_what_is_synced_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
