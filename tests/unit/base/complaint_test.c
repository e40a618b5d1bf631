/* complaint_test.c -- a complaint is one line with an exit code. */
#include "tests/unit/ending.h"

#include <string.h>

#include "base/complaint.h"

static void
test_a_complaint_is_one_line(void **state)
{
    (void)state;
    struct complaint complaint;
    assert_int_equal(complain(&complaint, 78, "%s: %d", "a\nb\x7f\x1b", 3), 78);
    assert_int_equal(complaint.exit_code, 78);
    assert_string_equal(complaint.text, "a?b??: 3");
    char large[COMPLAINT_BYTES * 2];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(complain(&complaint, 64, "%s", large), 64);
    assert_int_equal(strlen(complaint.text), COMPLAINT_BYTES - 1);
}

static void
complain_of_nothing(void *context)
{
    struct complaint complaint;
    (void)complain(&complaint, 0, "%s", (const char *)context);
}

static void
test_a_complaint_has_an_exit_code(void **state)
{
    (void)state;
    char text[] = "x";
    struct ending ending = ending_of(complain_of_nothing, text);
    assert_true(WIFSIGNALED(ending.status));
    assert_non_null(strstr(ending.text, "exit_code != 0"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_complaint_is_one_line),
        cmocka_unit_test(test_a_complaint_has_an_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
