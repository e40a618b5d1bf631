/* invariant_test.c -- a broken promise ends the process, and says which it was. */
#include "tests/unit/ending.h"

#include <signal.h>
#include <string.h>

#include "base/invariant.h"

static void
break_promise(void *context)
{
    const int *value = context;
    INVARIANT(*value == 1);
}

static void
test_a_broken_promise_aborts(void **state)
{
    (void)state;
    int value = 2;
    struct ending ending = ending_of(break_promise, &value);
    assert_true(WIFSIGNALED(ending.status));
    assert_int_equal(WTERMSIG(ending.status), SIGABRT);
    assert_non_null(strstr(ending.text, "error main"));
    assert_non_null(strstr(ending.text, "a promise of our own code is broken"));
    assert_non_null(strstr(ending.text, "condition=\"*value == 1\" function=break_promise "
                                        "file=tests/unit/base/invariant_test.c line="));
    value = 1;
    ending = ending_of(break_promise, &value);
    assert_int_equal(ending_exit_code(&ending), ENDING_RETURNED);
    assert_string_equal(ending.text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_promise_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
