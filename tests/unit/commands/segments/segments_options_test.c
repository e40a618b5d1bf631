/* segments_options_test.c -- `segments`' command line: every option, and what is refused with which
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/complaint.h"
#include "commands/segments/segments_options.h"

#define ARGUMENTS_MAX 8

/* Parses "segments" with the arguments up to the first NULL. */
static int
parse(struct segments_options *options, char error[static COMPLAINT_BYTES],
      const char *const *arguments)
{
    static char text[ARGUMENTS_MAX][64];
    char *argv[ARGUMENTS_MAX + 1] = {text[0]};
    int argc = 1;
    (void)strcpy(text[0], "segments");
    for (; arguments[argc - 1] != NULL; argc++) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc] = text[argc];
        (void)snprintf(text[argc], sizeof(text[argc]), "%s", arguments[argc - 1]);
    }
    struct complaint complaint = {.text = ""};
    int code = segments_options_parse(options, argc, argv, &complaint);
    (void)strcpy(error, complaint.text);
    return code;
}

static void
assert_refused(const char *words, const char *const *arguments)
{
    struct segments_options options;
    char error[COMPLAINT_BYTES];
    assert_int_equal(parse(&options, error, arguments), EX_USAGE);
    assert_string_equal(error, words);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
test_directory_alone(void **state)
{
    (void)state;
    struct segments_options options;
    char error[COMPLAINT_BYTES];
    assert_int_equal(parse(&options, error, LIST("/data")), 0);
    assert_string_equal(options.directory, "/data");
    assert_false(options.help || options.dump || options.escape || options.verify);
}

static void
test_options_stand_anywhere(void **state)
{
    (void)state;
    struct segments_options options;
    char error[COMPLAINT_BYTES];
    assert_int_equal(parse(&options, error, LIST("--verify", "/data", "--dump", "--escape")), 0);
    assert_string_equal(options.directory, "/data");
    assert_true(options.dump && options.escape && options.verify);
    assert_int_equal(parse(&options, error, LIST("--dump", "--", "--verify")), 0);
    assert_string_equal(options.directory, "--verify");
    assert_false(options.verify);
}

static void
test_help_needs_nothing_else(void **state)
{
    (void)state;
    struct segments_options options;
    char error[COMPLAINT_BYTES];
    assert_int_equal(parse(&options, error, LIST("-h")), 0);
    assert_true(options.help);
    assert_int_equal(parse(&options, error, LIST("--help", "--escape")), 0);
    assert_true(options.help);
}

static void
test_what_is_refused(void **state)
{
    (void)state;
    assert_refused("DIRECTORY is missing, see mygrpcadapter segments --help", LIST("--dump"));
    assert_refused("DIRECTORY is empty", LIST(""));
    assert_refused("b: only one DIRECTORY at a time", LIST("a", "b"));
    assert_refused("--escape: says how --dump prints, which is missing", LIST("a", "--escape"));
    assert_refused("--dump=1: takes no value", LIST("a", "--dump=1"));
    assert_refused("--dumps: no such option, see mygrpcadapter segments --help",
                   LIST("a", "--dumps"));
    assert_refused("-d: no such option, see mygrpcadapter segments --help", LIST("a", "-d"));
    assert_refused("-x: no such option, see mygrpcadapter segments --help", LIST("a", "-x"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_alone),
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_help_needs_nothing_else),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
