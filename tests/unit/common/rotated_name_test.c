/* rotated_name_test.c -- which names are those of rotated files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/rotated_name.h"
#include "common/settings.h"

static void
test_in_use(void **state)
{
    (void)state;
    assert_false(rotated_name_is_in_use(&(struct settings){.output_rotate_keep = 10}));
    assert_true(rotated_name_is_in_use(&(struct settings){.output_rotate_bytes = 1}));
    assert_true(rotated_name_is_in_use(&(struct settings){.output_rotate_seconds = 1}));
}

static void
test_rotated(void **state)
{
    (void)state;
    static const char *const names[] = {"a.1",   "a.9", "a.10", "out.txt.1000", "a.b.7",
                                        "d/a.1", "..1", "a..2", "d.1/a.3"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(rotated_name_ends(names[i]));
        assert_true(rotated_name_is_within(names[i]));
    }
}

static void
test_not_rotated(void **state)
{
    (void)state;
    static const char *const names[] = {"a",    "1",    ".1",   "a.0",     "a.01", "a.1x",
                                        "a.x1", "a.1.", "a-1",  "a1",      "a.",   "d/.1",
                                        "a.-1", "a.+1", "a.1 ", "a.00001", "d/1",  "0.0"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_false(rotated_name_ends(names[i]));
        assert_false(rotated_name_is_within(names[i]));
    }
}

static void
test_within(void **state)
{
    (void)state;
    assert_false(rotated_name_ends("a.1/b"));
    assert_true(rotated_name_is_within("a.1/b"));
    assert_true(rotated_name_is_within("x/a.12/b/c"));
    assert_false(rotated_name_is_within("x/.12/b/c"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_rotated),
        cmocka_unit_test(test_not_rotated),
        cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
