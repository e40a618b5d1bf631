/* options_test.c -- the command line, its orders and its errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "master/options.h"

#define WORDS_MAX 8
#define WORDS(...) ((const char *const[]){"mygrpcadapter", __VA_ARGS__, NULL})

static char word_bytes[WORDS_MAX][64];

/* Parses copies, as getopt may reorder and argv is not const. */
static int
parse(struct options *options, const char *const *words, struct complaint *complaint)
{
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        assert_true(argc < WORDS_MAX);
        (void)strncpy(word_bytes[argc], words[argc], sizeof(word_bytes[0]) - 1);
        argv[argc] = word_bytes[argc];
    }
    return options_parse(options, argc, argv, complaint);
}

static struct options
parse_well(const char *const *words)
{
    struct options options;
    struct complaint complaint = {.text = ""};
    int result = parse(&options, words, &complaint);
    assert_string_equal(complaint.text, "");
    assert_int_equal(result, 0);
    return options;
}

static void
assert_refused(const char *const *words, const char *text)
{
    struct options options;
    struct complaint complaint;
    assert_int_equal(parse(&options, words, &complaint), EX_USAGE);
    assert_int_equal(complaint.exit_code, EX_USAGE);
    assert_string_equal(complaint.text, text);
    assert_null(options.config.sets);
}

static void
test_nothing(void **state)
{
    (void)state;
    struct options options = parse_well((const char *const[]){"mygrpcadapter", NULL});
    assert_null(options.config.file);
    assert_int_equal(options.config.set_count, 0);
    assert_int_equal(options.config.port, CONFIG_NO_PORT);
    assert_false(options.test_config || options.version || options.help);
    options_free(&options);
    options_free(&options);
}

static void
test_all_short(void **state)
{
    (void)state;
    struct options options = parse_well(WORDS("-tc", "x.cfg", "-sa.b=c", "9000", "-s", "d.e=f=g"));
    assert_string_equal(options.config.file, "x.cfg");
    assert_int_equal(options.config.set_count, 2);
    assert_string_equal(options.config.sets[0], "a.b=c");
    assert_string_equal(options.config.sets[1], "d.e=f=g");
    assert_int_equal(options.config.port, 9000);
    assert_true(options.test_config);
    options_free(&options);
}

static void
test_all_long(void **state)
{
    (void)state;
    struct options options = parse_well(
        WORDS("--config=x.cfg", "--set", "a.b=", "--test-config", "--version", "--help", "0"));
    assert_string_equal(options.config.file, "x.cfg");
    assert_string_equal(options.config.sets[0], "a.b=");
    assert_int_equal(options.config.port, 0);
    assert_true(options.test_config && options.version && options.help);
    options_free(&options);
}

static void
test_errors_name_the_argument(void **state)
{
    (void)state;
    assert_refused(WORDS("--nix"), "unknown or ambiguous option \"--nix\" (see --help)");
    assert_refused(WORDS("9000", "--nix=1"),
                   "unknown or ambiguous option \"--nix=1\" (see --help)");
    assert_refused(WORDS("-x"), "unknown option \"-x\" (see --help)");
    assert_refused(WORDS("--test-config", "-tx"), "unknown option \"-x\" (see --help)");
    assert_refused(WORDS("--test-config", "-xt"), "unknown option \"-x\" (see --help)");
    assert_refused(WORDS("--help=1"), "option \"--help=1\" takes no argument");
    assert_refused(WORDS("-c"), "option \"-c\" needs an argument");
    assert_refused(WORDS("--set"), "option \"--set\" needs an argument");
    assert_refused(WORDS("--set", "x"), "option --set \"x\" is not KEY=VALUE");
    assert_refused(WORDS("--set", "=x"), "option --set \"=x\" is not KEY=VALUE");
    assert_refused(WORDS("8000", "8001"), "unexpected argument \"8001\" after PORT");
}

static void
test_port(void **state)
{
    (void)state;
    struct options options = parse_well(WORDS("65535"));
    assert_int_equal(options.config.port, 65535);
    options_free(&options);
    assert_refused(WORDS("65536"), "PORT \"65536\" is not a number from 0 to 65535");
    assert_refused(WORDS("http"), "PORT \"http\" is not a number from 0 to 65535");
    assert_refused(WORDS("80x"), "PORT \"80x\" is not a number from 0 to 65535");
    assert_refused(WORDS(""), "PORT \"\" is not a number from 0 to 65535");
    assert_refused(WORDS(" 80"), "PORT \" 80\" is not a number from 0 to 65535");
    assert_refused(WORDS("--", "-80"), "PORT \"-80\" is not a number from 0 to 65535");
    assert_refused(WORDS("99999999999999999999"),
                   "PORT \"99999999999999999999\" is not a number from 0 to 65535");
}

static void
test_a_complaint_is_one_line(void **state)
{
    (void)state;
    assert_refused(WORDS("a\nb"), "PORT \"a?b\" is not a number from 0 to 65535");
}

static void
test_help_names_every_option(void **state)
{
    (void)state;
    static const char *const words[] = {"-c, --config",  "-s, --set",  "-t, --test-config",
                                        "-V, --version", "-h, --help", "PORT"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_non_null(strstr(options_help(), words[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_all_short),
        cmocka_unit_test(test_all_long),
        cmocka_unit_test(test_errors_name_the_argument),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_a_complaint_is_one_line),
        cmocka_unit_test(test_help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
