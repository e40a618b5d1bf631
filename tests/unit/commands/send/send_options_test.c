/* send_options_test.c -- `send`'s command line: every option, every type of value, and what is
 * refused with which words. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "commands/send/send_options.h"
#include "commands/send/send_time.h"

#define ARGUMENTS_MAX 32

/* Parses "send" with the arguments up to the first NULL. */
#define PARSE(options, error, ...)                                                                 \
    parse((options), (error), (const char *const[]){__VA_ARGS__, NULL})

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
parse(struct send_options *options, char *error, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 1] = {command_line[0]};
    int argc = 1;
    (void)set_argument(0, "send");
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = set_argument(argc, arguments[argc - 1]);
    error[0] = '\0';
    return send_options_parse(options, argc, argv, error, 512);
}

static void
assert_refused(const char *words, const char *const *arguments)
{
    struct send_options options;
    char error[512];
    assert_int_equal(parse(&options, error, arguments), -EINVAL);
    assert_string_equal(error, words);
    send_options_close(&options);
}

#define REFUSED(words, ...) assert_refused((words), (const char *const[]){__VA_ARGS__, NULL})

static struct send_value
parsed_value(const char *text)
{
    struct send_value value;
    const char *why = "";
    assert_int_equal(send_value_parse(&value, text, &why), 0);
    return value;
}

static void
assert_value_refused(const char *text, const char *words)
{
    struct send_value value;
    const char *why = "";
    assert_int_equal(send_value_parse(&value, text, &why), -EINVAL);
    assert_string_equal(why, words);
}

/* ---- options */

static void
test_defaults(void **state)
{
    (void)state;
    struct send_options options;
    char error[512];
    assert_int_equal(parse(&options, error, (const char *const[]){NULL}), 0);
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
    char error[512];
    assert_int_equal(PARSE(&options, error, "--address", "unix:///run/a", "--file-path=a/b.txt",
                           "--name", "n", "--value", "-1235", "--dimension", "a=b=c", "--dimension",
                           "b=int:2", "--instances", "400", "--count", "1000000000000",
                           "--connections", "8", "--in-flight", "64", "--timeout-ms", "10",
                           "--unique"),
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
    char error[512];
    assert_int_equal(PARSE(&options, error, "-h"), 0);
    assert_true(options.help);
    send_options_close(&options);
    assert_int_equal(PARSE(&options, error, "--help", "--request", "x", "--name", "y"), 0);
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
    REFUSED("--file-path out.txt: would stand in what --no-config leaves out", "--no-config",
            "--file-path", "out.txt");
    REFUSED("--dimension call: --unique adds this dimension itself", "--unique", "--dimension",
            "call=1");
    REFUSED("--in-flight 10000: times 1000 connections is more than 1000000 calls at once",
            "--connections", "1000", "--in-flight", "10000");
}

/* ---- values */

static void
test_values_of_every_type(void **state)
{
    (void)state;
    assert_int_equal(parsed_value("none").kind, SEND_VALUE_NONE);
    assert_string_equal(parsed_value("string:none").text, "none");
    assert_int_equal(parsed_value("string:").kind, SEND_VALUE_STRING);
    assert_string_equal(parsed_value("string:").text, "");
    assert_string_equal(parsed_value("http://x").text, "http://x");
    assert_int_equal(parsed_value("1235").kind, SEND_VALUE_STRING);
    assert_int_equal(parsed_value("int:-9223372036854775808").integer, INT64_MIN);
    assert_true(parsed_value("double:-0.5").number == -0.5);
    assert_true(parsed_value("double:5e-324").number > 0);
    assert_true(isnan(parsed_value("double:nan").number));
    assert_true(isinf(parsed_value("double:-inf").number));
    assert_int_equal(parsed_value("bool:true").integer, 1);
    assert_int_equal(parsed_value("bool:false").integer, 0);
    assert_int_equal(parsed_value("email:a@b.c").kind, SEND_VALUE_EMAIL_ADDRESS);
    assert_string_equal(parsed_value("email:a@b.c").text, "a@b.c");
    assert_int_equal(parsed_value("dns:a.b").kind, SEND_VALUE_DNS_NAME);
    assert_int_equal(parsed_value("uri:http://x/").kind, SEND_VALUE_URI);
    assert_string_equal(parsed_value("uri:http://x/").text, "http://x/");
    assert_int_equal(parsed_value("timestamp:1970-01-01T00:00:01Z").integer, 1);
    assert_int_equal(parsed_value("duration:12ms").nanos, 12000000);
}

static void
test_wrong_values(void **state)
{
    (void)state;
    assert_value_refused("int:", "not a whole number");
    assert_value_refused("int: 1", "not a whole number");
    assert_value_refused("int:0x10", "not a whole number");
    assert_value_refused("int:9223372036854775808", "does not fit an int64");
    assert_value_refused("double:", "not a number");
    assert_value_refused("double:1.5x", "not a number");
    assert_value_refused("double:1e400", "does not fit a double");
    assert_value_refused("bool:1", "neither true nor false");
    assert_value_refused("ip:10.1.2", "neither an IPv4 nor an IPv6 address, nor hex: and bytes");
    assert_value_refused("ip:hex:0a0", "an odd number of hexadecimal digits");
    assert_value_refused("ip:hex:0g", "not hexadecimal digits");
    assert_value_refused("timestamp:now", "not an RFC 3339 time such as 2019-03-16T01:02:03.5Z");
    assert_value_refused("timestamp:0000-12-31T23:59:59Z", "not within the years 1 to 9999");
    assert_value_refused("duration:5", "not a duration such as 1h2m3.5s or 12ms");
    assert_value_refused("duration:3000000h", "longer than 292 years");
}

static void
test_measures(void **state)
{
    (void)state;
    struct send_value value;
    const char *why;
    assert_int_equal(send_value_parse_measure(&value, "1235", &why), 0);
    assert_int_equal(value.kind, SEND_VALUE_INT64);
    assert_int_equal(send_value_parse_measure(&value, "1.5", &why), 0);
    assert_int_equal(value.kind, SEND_VALUE_STRING);
    assert_int_equal(send_value_parse_measure(&value, "-", &why), 0);
    assert_int_equal(value.kind, SEND_VALUE_STRING);
    assert_int_equal(send_value_parse_measure(&value, "string:7", &why), 0);
    assert_int_equal(value.kind, SEND_VALUE_STRING);
    assert_string_equal(value.text, "7");
}

static void
test_addresses(void **state)
{
    (void)state;
    struct send_value value = parsed_value("ip:10.1.2.3");
    assert_int_equal(value.address_size, 4);
    assert_memory_equal(value.address, "\x0a\x01\x02\x03", 4);

    value = parsed_value("ip:2001:db8::1");
    assert_int_equal(value.address_size, 16);
    assert_memory_equal(value.address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);

    value = parsed_value("ip:hex:C0000201aB");
    assert_int_equal(value.address_size, 5);
    assert_memory_equal(value.address, "\xc0\x00\x02\x01\xab", 5);

    assert_int_equal(parsed_value("ip:hex:").address_size, 0);

    static const char prefix[] = "ip:hex:";
    const size_t digits_max = (size_t)2 * SEND_VALUE_ADDRESS_BYTES_MAX;
    char longest[256] = "";
    memset(longest, 'f', sizeof(prefix) - 1 + digits_max);
    memcpy(longest, prefix, sizeof(prefix) - 1);
    assert_int_equal(parsed_value(longest).address_size, SEND_VALUE_ADDRESS_BYTES_MAX);
    memset(longest + sizeof(prefix) - 1 + digits_max, 'f', 2);
    assert_value_refused(longest, "more than 64 bytes");
}

/* ---- times */

static void
test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"0s", 0, 0},
        {"5s", 5, 0},
        {"+5s", 5, 0},
        {"12ms", 0, 12000000},
        {"1h2m3.5s", 3723, 500000000},
        {"-1.5h", -5400, 0},
        {"-1ns", 0, -1},
        {"-1.000000001s", -1, -1},
        {"7us", 0, 7000},
        {"7\u00b5s", 0, 7000},
        {"7\u03bcs", 0, 7000},
        {".5s", 0, 500000000},
        {"3.s", 3, 0},
        {"0.100000000000000000000h", 360, 0},
        {"1m1ms", 60, 1000000},
        {"9223372036854775807ns", 9223372036, 854775807},
        {"-9223372036.854775807s", -9223372036, -854775807},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds;
        int32_t nanos;
        assert_int_equal(send_time_parse_duration(cases[i].text, &seconds, &nanos), 0);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
    }
}

static void
test_wrong_durations(void **state)
{
    (void)state;
    static const char *const malformed[] = {"",    "-",  "5",   "s",    ".",    ".s",
                                            "5 s", "5d", "1s2", "--1s", "1e3s", "5S"};
    int64_t seconds;
    int32_t nanos;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(send_time_parse_duration(malformed[i], &seconds, &nanos), -EINVAL);
    assert_int_equal(send_time_parse_duration("9223372036854775808ns", &seconds, &nanos), -ERANGE);
    assert_int_equal(send_time_parse_duration("2562048h", &seconds, &nanos), -ERANGE);
    assert_int_equal(send_time_parse_duration("99999999999999999999s", &seconds, &nanos), -ERANGE);
    assert_int_equal(send_time_parse_duration("2000000h2000000h", &seconds, &nanos), -ERANGE);
}

static void
test_timestamps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01t00:00:00z", 0, 0},
        {"1969-12-31T23:59:59.5Z", -1, 500000000},
        {"2019-03-16T01:02:03.5Z", 1552698123, 500000000},
        {"2019-03-16T01:02:03.123456789Z", 1552698123, 123456789},
        {"2019-03-16T03:02:03+02:00", 1552698123, 0},
        {"2019-03-15T19:32:03-05:30", 1552698123, 0},
        {"2000-02-29T12:00:00Z", 951825600, 0},
        {"0001-01-01T00:00:00Z", -62135596800, 0},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds;
        int32_t nanos;
        assert_int_equal(send_time_parse_timestamp(cases[i].text, &seconds, &nanos), 0);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
    }
}

static void
test_wrong_timestamps(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "",
        "2019-03-16",
        "2019-03-16T01:02:03",
        "2019-03-16 01:02:03Z",
        "2019-3-16T01:02:03Z",
        "2019-13-16T01:02:03Z",
        "2019-02-29T01:02:03Z",
        "2019-04-31T01:02:03Z",
        "2019-03-00T01:02:03Z",
        "2019-03-16T24:00:00Z",
        "2019-03-16T01:60:03Z",
        "2019-03-16T01:02:60Z",
        "2019-03-16T01:02:03.Z",
        "2019-03-16T01:02:03.1234567890Z",
        "2019-03-16T01:02:03+2:00",
        "2019-03-16T01:02:03+24:00",
        "2019-03-16T01:02:03Zx",
        "+019-03-16T01:02:03Z",
    };
    int64_t seconds;
    int32_t nanos;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(send_time_parse_timestamp(malformed[i], &seconds, &nanos), -EINVAL);
    assert_int_equal(send_time_parse_timestamp("0001-01-01T00:00:00+00:01", &seconds, &nanos),
                     -ERANGE);
    assert_int_equal(send_time_parse_timestamp("9999-12-31T23:59:59-00:01", &seconds, &nanos),
                     -ERANGE);
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
        cmocka_unit_test(test_values_of_every_type),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_wrong_durations),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_wrong_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
