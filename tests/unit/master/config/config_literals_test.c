/* config_literals_test.c -- which numbers of a file libconfig would cut, and what only looks
 * like one. */
#include "tests/unit/scratch.h"

#include <sysexits.h>

#include "base/complaint.h"
#include "master/config/config_literals.h"

/* What the scan of a file with that text says; the complaint's text is empty if nothing. */
static int
check(const struct scratch *scratch, const char *text, struct complaint *complaint)
{
    char path[128];
    scratch_put(scratch, "x.cfg", text, strlen(text));
    (void)snprintf(path, sizeof(path), "%s/x.cfg", scratch->path);
    complaint->text[0] = '\0';
    return config_literals_check(path, complaint);
}

static void
assert_good(const struct scratch *scratch, const char *text)
{
    struct complaint complaint;
    assert_int_equal(check(scratch, text, &complaint), 0);
    assert_string_equal(complaint.text, "");
}

/* `expected` is what the complaint says after the file's path. */
static void
assert_cut(const struct scratch *scratch, const char *text, const char *expected)
{
    char whole[COMPLAINT_BYTES];
    struct complaint complaint;
    assert_int_equal(check(scratch, text, &complaint), EX_CONFIG);
    (void)snprintf(whole, sizeof(whole), "%s/x.cfg%s", scratch->path, expected);
    assert_string_equal(complaint.text, whole);
}

static void
test_bounds(void **state)
{
    const struct scratch *scratch = *state;
    assert_good(scratch, "a = 2147483647; b = -2147483648; c = 0x7fffffff; d = +1;");
    assert_cut(scratch, "a = 2147483648;",
               ":1: a: 2147483648 is beyond 32 bits and needs an L: 2147483648L");
    assert_cut(scratch, "a = -2147483649;",
               ":1: a: -2147483649 is beyond 32 bits and needs an L: -2147483649L");
    assert_cut(scratch, "a = 0X80000000;",
               ":1: a: 0X80000000 is beyond 32 bits and needs an L: 0X80000000L");
    assert_cut(scratch, "a = 99999999999999999999;",
               ":1: a: 99999999999999999999 is beyond 32 bits and needs an L: "
               "99999999999999999999L");
}

static void
test_what_has_64_bits_or_is_no_integer(void **state)
{
    const struct scratch *scratch = *state;
    assert_good(scratch, "a = 4294975296L; b = 4294975296LL; c = 0xFFFFFFFF0L;");
    assert_good(scratch, "a = 4294975296.0; b = 4e10; c = 4294975296e0;");
    assert_good(scratch, "a4294975296 = 1; b-4294975296 = 2; *4294975296 = 3;");
}

static void
test_comments_strings_and_includes_are_passed_over(void **state)
{
    const struct scratch *scratch = *state;
    assert_good(scratch, "# 4294975296\n// 4294975296\n/* 4294975296\n4294975296 **/ a = 1;");
    assert_good(scratch, "a = \"4294975296\"; b = \"\\\"4294975296\"; c = \"\\\\\";");
    assert_good(scratch, "@include \"4294975296\"\n");
    assert_cut(scratch, "c = \"\\\\\" 4294975296",
               ":1: c: 4294975296 is beyond 32 bits and needs an L: 4294975296L");
    assert_cut(scratch, "a = 1; /* 1\n2\n*/ b = \"\n\";\nc\n=\n5000000000",
               ":7: c: 5000000000 is beyond 32 bits and needs an L: 5000000000L");
}

/* libconfig has refused such a file before; the scan must end all the same. */
static void
test_what_is_left_open_ends(void **state)
{
    const struct scratch *scratch = *state;
    static const char *const texts[] = {"",    "a", "a = \"", "a = \"\\", "/", "/* *",
                                        "# a", "@", "a = 1",  "-",        "0x"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_good(scratch, texts[i]);
}

static void
test_long_words(void **state)
{
    const struct scratch *scratch = *state;
    char text[600];
    struct complaint complaint;
    memset(text, '9', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(check(scratch, text, &complaint), EX_CONFIG);
    memset(text, 'a', sizeof(text) - 1);
    assert_good(scratch, text);
}

static void
test_what_cannot_be_read_is_passed_over(void **state)
{
    const struct scratch *scratch = *state;
    struct complaint complaint;
    assert_int_equal(config_literals_check("/nonexistent.cfg", &complaint), 0);
    assert_int_equal(config_literals_check(scratch->path, &complaint), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bounds),
        TEST(test_what_has_64_bits_or_is_no_integer),
        TEST(test_comments_strings_and_includes_are_passed_over),
        TEST(test_what_is_left_open_ends),
        TEST(test_long_words),
        TEST(test_what_cannot_be_read_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
