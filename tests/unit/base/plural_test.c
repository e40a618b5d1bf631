/* plural_test.c -- one is one, and all else is many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/plural.h"

static void
test_counts(void **state)
{
    (void)state;
    char text[PLURAL_BYTES];
    assert_string_equal(plural(text, 0, "record"), "0 records");
    assert_string_equal(plural(text, 1, "record"), "1 record");
    assert_string_equal(plural(text, 2, "record"), "2 records");
    assert_string_equal(plural(text, 11, "worker"), "11 workers");
}

/* The largest number and the longest noun have room. */
static void
test_room(void **state)
{
    (void)state;
    char text[PLURAL_BYTES];
    assert_string_equal(plural(text, UINT64_MAX, "abcdefghijklmnopqrst"),
                        "18446744073709551615 abcdefghijklmnopqrsts");
    assert_true(strlen(text) < PLURAL_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
