/* send_time_test.c -- durations as Go reads them, and points in time of RFC 3339. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/send/send_time.h"

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
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_wrong_durations),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_wrong_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
