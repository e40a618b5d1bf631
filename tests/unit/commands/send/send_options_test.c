/* send_options_test.c -- `send`'s command line: every option, and what is refused with which
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/complaint.h"
#include "commands/send/send_options.h"

#define ARGUMENTS_MAX 32

/* Parses "send" with the arguments up to the first NULL. */
#define PARSE(options, complaint, ...)                                                             \
    parse((options), (complaint), (const char *const[]){__VA_ARGS__, NULL})

static char command_line[ARGUMENTS_MAX][256];

static char *
set_argument(int index, const char *text)
{
    assert_in_range(index, 0, ARGUMENTS_MAX - 1);
    size_t size = strlen(text) + 1;
    assert_in_range(size, 1, sizeof(command_line[index]));
    return memcpy(command_line[index], text, size);
}

static int
parse(struct send_options *options, struct complaint *complaint, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 1] = {command_line[0]};
    int argc = 1;
    (void)set_argument(0, "send");
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = set_argument(argc, arguments[argc - 1]);
    *complaint = (struct complaint){.exit_code = 0};
    return send_options_parse(options, argc, argv, complaint);
}

static void
assert_refused(const char *words, const char *const *arguments)
{
    struct send_options options;
    struct complaint complaint;
    assert_int_equal(parse(&options, &complaint, arguments), EX_USAGE);
    assert_int_equal(complaint.exit_code, EX_USAGE);
    assert_string_equal(complaint.text, words);
    send_options_close(&options);
}

#define REFUSED(words, ...) assert_refused((words), (const char *const[]){__VA_ARGS__, NULL})

static void
test_defaults(void **state)
{
    (void)state;
    struct send_options options;
    struct complaint complaint;
    assert_int_equal(parse(&options, &complaint, (const char *const[]){NULL}), 0);
    assert_string_equal(options.address, "localhost:8000");
    assert_string_equal(options.name, "i1metric.instance.istio-system");
    assert_null(options.file_path);
    assert_null(options.request_file);
    assert_false(options.no_config);
    assert_false(options.unique);
    assert_int_equal(options.value.kind, SEND_VALUE_INT64);
    assert_int_equal(options.value.integer, 1);
    assert_int_equal(options.dimension_count, 0);
    assert_int_equal(options.instances, 1);
    assert_int_equal(options.count, 1);
    assert_int_equal(options.connections, 1);
    assert_int_equal(options.in_flight, 1);
    assert_int_equal(options.timeout_ms, 5000);
    send_options_close(&options);
}

static void
test_every_option(void **state)
{
    (void)state;
    struct send_options options;
    struct complaint complaint;
    assert_int_equal(PARSE(&options, &complaint, "--address", "unix:///run/a",
                           "--file-path=a/b.txt", "--name", "n", "--value", "-1235", "--dimension",
                           "a=b=c", "--dimension", "b=int:2", "--instances", "400", "--count",
                           "1000000000000", "--connections", "8", "--in-flight", "64",
                           "--timeout-ms", "10", "--unique"),
                     0);
    assert_string_equal(options.address, "unix:///run/a");
    assert_string_equal(options.file_path, "a/b.txt");
    assert_string_equal(options.name, "n");
    assert_int_equal(options.value.kind, SEND_VALUE_INT64);
    assert_int_equal(options.value.integer, -1235);
    assert_int_equal(options.dimension_count, 2);
    assert_string_equal(options.dimensions[0].key, "a");
    assert_int_equal(options.dimensions[0].value.kind, SEND_VALUE_STRING);
    assert_string_equal(options.dimensions[0].value.text, "b=c");
    assert_string_equal(options.dimensions[1].key, "b");
    assert_int_equal(options.dimensions[1].value.integer, 2);
    assert_int_equal(options.instances, 400);
    assert_int_equal(options.count, SEND_COUNT_MAX);
    assert_int_equal(options.connections, 8);
    assert_int_equal(options.in_flight, 64);
    assert_int_equal(options.timeout_ms, 10);
    assert_true(options.unique);
    send_options_close(&options);
}

static void
test_help_needs_nothing_else(void **state)
{
    (void)state;
    struct send_options options;
    struct complaint complaint;
    assert_int_equal(PARSE(&options, &complaint, "-h"), 0);
    assert_true(options.help);
    send_options_close(&options);
    assert_int_equal(PARSE(&options, &complaint, "--help", "--request", "x", "--name", "y"), 0);
    assert_true(options.help);
    send_options_close(&options);
}

static void
test_wrong_numbers(void **state)
{
    (void)state;
    REFUSED("--count abc: not a whole number from 1 to 1000000000000", "--count", "abc");
    REFUSED("--count 0: not a whole number from 1 to 1000000000000", "--count", "0");
    REFUSED("--count -1: not a whole number from 1 to 1000000000000", "--count", "-1");
    REFUSED("--count : not a whole number from 1 to 1000000000000", "--count", "");
    REFUSED("--count 99999999999999999999: not a whole number from 1 to 1000000000000", "--count",
            "99999999999999999999");
    REFUSED("--connections 10001: not a whole number from 1 to 10000", "--connections", "10001");
    REFUSED("--in-flight 1.5: not a whole number from 1 to 10000", "--in-flight", "1.5");
    REFUSED("--instances 1e3: not a whole number from 1 to 100000", "--instances", "1e3");
    REFUSED("--timeout-ms 5s: not a whole number from 1 to 3600000", "--timeout-ms", "5s");
}

static void
test_unknown_arguments(void **state)
{
    (void)state;
    REFUSED("--frobnicate: no such option, see mygrpcadapter send --help", "--frobnicate");
    REFUSED("-x: no such option, see mygrpcadapter send --help", "-x");
    REFUSED("out.txt: not an option, see mygrpcadapter send --help", "out.txt");
    REFUSED("--count: needs a value", "--count");
    REFUSED("--unique=1: takes no value", "--unique=1");
}

static void
test_wrong_dimensions(void **state)
{
    (void)state;
    REFUSED("--dimension a: not KEY=VALUE", "--dimension", "a");
    REFUSED("--dimension =b: not KEY=VALUE", "--dimension", "=b");
    REFUSED("--dimension a=c: the key is given twice", "--dimension", "a=b", "--dimension", "a=c");
    REFUSED("--dimension a=int:x: not a whole number", "--dimension", "a=int:x");
    REFUSED("--value int:1.5: not a whole number", "--value", "int:1.5");
    REFUSED("--value 9223372036854775808: does not fit an int64", "--value", "9223372036854775808");
}

static void
test_what_does_not_make_sense(void **state)
{
    (void)state;
    REFUSED("--address: is empty", "--address", "");
    REFUSED("--request r.pb: is sent as it is, --name cannot change it", "--request", "r.pb",
            "--name", "n");
    REFUSED("--request r.pb: is sent as it is, --unique cannot change it", "--unique", "--request",
            "r.pb");
    REFUSED("--file-path out.txt: cannot be sent together with --no-config", "--no-config",
            "--file-path", "out.txt");
    REFUSED("--dimension call: --unique adds this dimension itself", "--unique", "--dimension",
            "call=1");
    REFUSED("--in-flight 10000: on 1000 connections that is more than 1000000 calls at once",
            "--connections", "1000", "--in-flight", "10000");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_help_needs_nothing_else),
        cmocka_unit_test(test_wrong_numbers),
        cmocka_unit_test(test_unknown_arguments),
        cmocka_unit_test(test_wrong_dimensions),
        cmocka_unit_test(test_what_does_not_make_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
