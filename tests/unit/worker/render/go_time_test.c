/* go_time_test.c -- the texts of gogo's Timestamp and Duration, valid ones and complaints, as the
 * Go code wrote them. */
#include "worker/render/go_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "worker/render/text.h"

struct row {
    int64_t seconds;
    int32_t nanos;
    const char *expected;
};

static struct text *text;

static int
open_text(void **state)
{
    (void)state;
    return text_open(&text, 1000, 1000);
}

static int
close_text(void **state)
{
    (void)state;
    text_close(&text);
    return 0;
}

static void
check_rows(void (*add)(struct text *, int64_t, int32_t), const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_reset(text);
        add(text, rows[i].seconds, rows[i].nanos);
        text_add_byte(text, '\0');
        assert_string_equal(text_bytes(text).data, rows[i].expected);
    }
}

#define BAD_TIMESTAMP(seconds, nanos, complaint)                                                   \
    "(timestamp: &types.types.Timestamp{Seconds: " seconds ",\nNanos: " nanos ",\n}" complaint ")"
#define BAD_DURATION(seconds, nanos, complaint)                                                    \
    "(duration: &types.types.Duration{Seconds: " seconds ",\nNanos: " nanos ",\n}" complaint ")"

static void
timestamps(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {1552698123, 4, "2019-03-16T01:02:03.000000004Z"},
        {1, 100000000, "1970-01-01T00:00:01.1Z"},
        {1, 120000000, "1970-01-01T00:00:01.12Z"},
        {1, 1000, "1970-01-01T00:00:01.000001Z"},
        {1, 10, "1970-01-01T00:00:01.00000001Z"},
        {-1, 999999999, "1969-12-31T23:59:59.999999999Z"},
        {-62135596800, 0, "0001-01-01T00:00:00Z"},
        {-62135596800, 1, "0001-01-01T00:00:00.000000001Z"},
        {253402300799, 999999999, "9999-12-31T23:59:59.999999999Z"},
        {951782400, 0, "2000-02-29T00:00:00Z"},
        {951868800, 0, "2000-03-01T00:00:00Z"},
        {-2203891200, 5, "1900-03-01T00:00:00.000000005Z"},
        {-2203977600, 0, "1900-02-28T00:00:00Z"},
        {-30610224000, 0, "1000-01-01T00:00:00Z"},
    };
    check_rows(go_time_add_timestamp, rows, sizeof(rows) / sizeof(rows[0]));
}

static void
timestamps_out_of_range(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {-62135596801, 0, BAD_TIMESTAMP("-62135596801", "0", " before 0001-01-01")},
        {-62135596801, -1, BAD_TIMESTAMP("-62135596801", "-1", " before 0001-01-01")},
        {INT64_MIN, 0, BAD_TIMESTAMP("-9223372036854775808", "0", " before 0001-01-01")},
        {253402300800, 0, BAD_TIMESTAMP("253402300800", "0", " after 10000-01-01")},
        {253402300800, 1000000000,
         BAD_TIMESTAMP("253402300800", "1000000000", " after 10000-01-01")},
        {INT64_MAX, 0, BAD_TIMESTAMP("9223372036854775807", "0", " after 10000-01-01")},
        {1, -1, BAD_TIMESTAMP("1", "-1", ": nanos not in range [0, 1e9)")},
        {1, 1000000000, BAD_TIMESTAMP("1", "1000000000", ": nanos not in range [0, 1e9)")},
        {0, INT32_MAX, BAD_TIMESTAMP("0", "2147483647", ": nanos not in range [0, 1e9)")},
        {0, INT32_MIN, BAD_TIMESTAMP("0", "-2147483648", ": nanos not in range [0, 1e9)")},
    };
    check_rows(go_time_add_timestamp, rows, sizeof(rows) / sizeof(rows[0]));
}

/* Against the C library, over all years a timestamp may have: each day's first second is of one day
 * only. */
static void
every_day(void **state)
{
    (void)state;
    for (int64_t day = -719162; day < 2932897; day++) {
        time_t moment = (time_t)(day * 86400 + (day & 0xffff));
        struct tm utc;
        char expected[64];
        assert_non_null(gmtime_r(&moment, &utc));
        (void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                       utc.tm_sec);
        text_reset(text);
        go_time_add_timestamp(text, moment, 0);
        struct bytes bytes = text_bytes(text);
        assert_int_equal(bytes.size, strlen(expected));
        assert_memory_equal(bytes.data, expected, bytes.size);
    }
}

static void
durations(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {0, 0, "0s"},
        {0, 1, "1ns"},
        {0, 999, "999ns"},
        {0, 1000, "1\xc2\xb5s"},
        {0, 1500, "1.5\xc2\xb5s"},
        {0, 1001, "1.001\xc2\xb5s"},
        {0, 999999, "999.999\xc2\xb5s"},
        {0, 1000000, "1ms"},
        {0, 123000000, "123ms"},
        {0, 1000001, "1.000001ms"},
        {0, 999999999, "999.999999ms"},
        {1, 0, "1s"},
        {1, 500000000, "1.5s"},
        {59, 999999999, "59.999999999s"},
        {60, 0, "1m0s"},
        {61, 500000000, "1m1.5s"},
        {3600, 0, "1h0m0s"},
        {3600, 1, "1h0m0.000000001s"},
        {86400, 0, "24h0m0s"},
        {0, -1, "-1ns"},
        {0, -1500, "-1.5\xc2\xb5s"},
        {-1, -500000000, "-1.5s"},
        {-3661, -1, "-1h1m1.000000001s"},
        {9223372036, 854775807, "2562047h47m16.854775807s"},
        {-9223372036, -854775808, "-2562047h47m16.854775808s"},
    };
    check_rows(go_time_add_duration, rows, sizeof(rows) / sizeof(rows[0]));
}

static void
durations_out_of_range(void **state)
{
    (void)state;
#define TOO_LONG " is out of range for time.Duration"
    static const struct row rows[] = {
        {9223372036, 854775808, BAD_DURATION("9223372036", "854775808", TOO_LONG)},
        {-9223372036, -854775809, BAD_DURATION("-9223372036", "-854775809", TOO_LONG)},
        {9223372037, 0, BAD_DURATION("9223372037", "0", TOO_LONG)},
        {-9223372037, 0, BAD_DURATION("-9223372037", "0", TOO_LONG)},
        {18446744073, 709551616, BAD_DURATION("18446744073", "709551616", TOO_LONG)},
        {315576000000, 999999999, BAD_DURATION("315576000000", "999999999", TOO_LONG)},
        {-315576000000, 0, BAD_DURATION("-315576000000", "0", TOO_LONG)},
        {315576000001, 0, BAD_DURATION("315576000001", "0", ": seconds out of range")},
        {-315576000001, 0, BAD_DURATION("-315576000001", "0", ": seconds out of range")},
        {INT64_MIN, INT32_MIN,
         BAD_DURATION("-9223372036854775808", "-2147483648", ": seconds out of range")},
        {0, 1000000000, BAD_DURATION("0", "1000000000", ": nanos out of range")},
        {1, -1000000000, BAD_DURATION("1", "-1000000000", ": nanos out of range")},
        {1, -1, BAD_DURATION("1", "-1", ": seconds and nanos have different signs")},
        {-1, 1, BAD_DURATION("-1", "1", ": seconds and nanos have different signs")},
    };
    check_rows(go_time_add_duration, rows, sizeof(rows) / sizeof(rows[0]));
}

static void
absent(void **state)
{
    (void)state;
    text_reset(text);
    go_time_add_no_timestamp(text);
    go_time_add_no_duration(text);
    text_add_byte(text, '\0');
    assert_string_equal(text_bytes(text).data,
                        "(timestamp: nil types.Timestamp)(duration: nil types.Duration)");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps),
        cmocka_unit_test(timestamps_out_of_range),
        cmocka_unit_test(every_day),
        cmocka_unit_test(durations),
        cmocka_unit_test(durations_out_of_range),
        cmocka_unit_test(absent),
    };
    return cmocka_run_group_tests(tests, open_text, close_text);
}
