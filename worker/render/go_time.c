/* go_time.c -- calendar and duration texts, written by hand.
 *
 * Runs in a worker. Integer arithmetic only: every value a client can send has one text, and no
 * libc time zone or locale comes near it.
 */
#include "worker/render/go_time.h"

#include <stddef.h>
#include <string.h>

#include "worker/render/text.h"

#define NANOS_PER_SECOND 1000000000
#define NANOS_PER_MILLISECOND 1000000
#define NANOS_PER_MICROSECOND 1000
#define SECONDS_PER_DAY 86400

/* The first moment of year 1 and of year 10000. */
#define TIMESTAMP_SECONDS_MIN INT64_C(-62135596800)
#define TIMESTAMP_SECONDS_END INT64_C(253402300800)

/* 10,000 years, as google.protobuf.Duration allows. */
#define DURATION_SECONDS_MAX INT64_C(315576000000)

#define FRACTION_DIGITS_MAX 9

struct date {
    uint32_t year;
    uint32_t month;
    uint32_t day;
};

/* Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days(), for
 * days from 0000-03-01 onwards: eras of 400 years = 146097 days, and years that begin in March, so
 * that the leap day is a year's last. */
static struct date
date_of_day(int64_t days_since_1970)
{
    uint64_t days = (uint64_t)(days_since_1970 + 719468);
    uint64_t era = days / 146097;
    uint32_t day_of_era = (uint32_t)(days % 146097);
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t march_month = (5 * day_of_year + 2) / 153;
    uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct date){
        .year = (uint32_t)(era * 400) + year_of_era + (month <= 2 ? 1 : 0),
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
    };
}

/* Writes `number` in exactly `width` digits; returns the byte after. */
static char *
write_padded(char *at, uint32_t number, size_t width)
{
    for (size_t i = width; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + width;
}

/* Appends ".FRACTION" of `width` digits without its trailing zeros, nothing if it is zero. */
static void
add_fraction(struct text *text, uint32_t fraction, size_t width)
{
    if (fraction == 0)
        return;
    char piece[1 + FRACTION_DIGITS_MAX] = {'.'};
    const char *end = write_padded(piece + 1, fraction, width);
    while (end[-1] == '0')
        end--;
    text_add_bytes(text, piece, (size_t)(end - piece));
}

static void
add_moment(struct text *text, int64_t seconds, uint32_t nanos)
{
    /* Counted from year 1, so that the division does not meet a negative number. */
    uint64_t since_start = (uint64_t)(seconds - TIMESTAMP_SECONDS_MIN);
    uint32_t second_of_day = (uint32_t)(since_start % SECONDS_PER_DAY);
    struct date date = date_of_day((int64_t)(since_start / SECONDS_PER_DAY) +
                                   TIMESTAMP_SECONDS_MIN / SECONDS_PER_DAY);
    char piece[sizeof("YYYY-MM-DDTHH:MM:SS")];
    char *at = write_padded(piece, date.year, 4);
    *at++ = '-';
    at = write_padded(at, date.month, 2);
    *at++ = '-';
    at = write_padded(at, date.day, 2);
    *at++ = 'T';
    at = write_padded(at, second_of_day / 3600, 2);
    *at++ = ':';
    at = write_padded(at, second_of_day / 60 % 60, 2);
    *at++ = ':';
    at = write_padded(at, second_of_day % 60, 2);
    text_add_bytes(text, piece, (size_t)(at - piece));
    add_fraction(text, nanos, 9);
    text_add_byte(text, 'Z');
}

/* The doubled "types." is Go's: the generated String() of the enclosing message puts a package name
 * before the first "Timestamp" or "Duration" of the text, which has one already. */
static void
add_parts(struct text *text, int64_t seconds, int32_t nanos)
{
    text_add_literal(text, "{Seconds: ");
    text_add_i64(text, seconds);
    text_add_literal(text, ",\nNanos: ");
    text_add_i64(text, nanos);
    text_add_literal(text, ",\n}");
}

static const char *
timestamp_complaint(int64_t seconds, int32_t nanos)
{
    if (seconds < TIMESTAMP_SECONDS_MIN)
        return " before 0001-01-01)";
    if (seconds >= TIMESTAMP_SECONDS_END)
        return " after 10000-01-01)";
    if (nanos < 0 || nanos >= NANOS_PER_SECOND)
        return ": nanos not in range [0, 1e9))";
    return NULL;
}

void
go_time_add_timestamp(struct text *text, int64_t seconds, int32_t nanos)
{
    const char *complaint = timestamp_complaint(seconds, nanos);
    if (complaint == NULL) {
        add_moment(text, seconds, (uint32_t)nanos);
        return;
    }
    text_add_literal(text, "(timestamp: &types.types.Timestamp");
    add_parts(text, seconds, nanos);
    text_add_bytes(text, complaint, strlen(complaint));
}

void
go_time_add_no_timestamp(struct text *text)
{
    text_add_literal(text, "(timestamp: nil types.Timestamp)");
}

/* Less than a second, in the largest unit of which there is at least one. */
static void
add_subsecond(struct text *text, uint32_t nanos)
{
    if (nanos >= NANOS_PER_MILLISECOND) {
        text_add_u64(text, nanos / NANOS_PER_MILLISECOND);
        add_fraction(text, nanos % NANOS_PER_MILLISECOND, 6);
        text_add_literal(text, "ms");
    } else if (nanos >= NANOS_PER_MICROSECOND) {
        text_add_u64(text, nanos / NANOS_PER_MICROSECOND);
        add_fraction(text, nanos % NANOS_PER_MICROSECOND, 3);
        text_add_literal(text, "\xc2\xb5s"); /* U+00B5, the micro sign */
    } else {
        text_add_u64(text, nanos);
        text_add_literal(text, "ns");
    }
}

static void
add_from_second(struct text *text, uint64_t seconds, uint32_t nanos)
{
    if (seconds >= 3600) {
        text_add_u64(text, seconds / 3600);
        text_add_byte(text, 'h');
    }
    if (seconds >= 60) {
        text_add_u64(text, seconds / 60 % 60);
        text_add_byte(text, 'm');
    }
    text_add_u64(text, seconds % 60);
    add_fraction(text, nanos, 9);
    text_add_byte(text, 's');
}

static void
add_nanoseconds(struct text *text, int64_t nanoseconds)
{
    if (nanoseconds < 0)
        text_add_byte(text, '-');
    uint64_t size = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    uint64_t seconds = size / NANOS_PER_SECOND;
    uint32_t nanos = (uint32_t)(size % NANOS_PER_SECOND);
    if (seconds == 0 && nanos != 0)
        add_subsecond(text, nanos);
    else
        add_from_second(text, seconds, nanos);
}

/* NULL and the sum of both parts, or what gogo says is wrong with them. */
static const char *
duration_complaint(int64_t seconds, int32_t nanos, int64_t *sum_r)
{
    if (seconds < -DURATION_SECONDS_MAX || seconds > DURATION_SECONDS_MAX)
        return ": seconds out of range)";
    if (nanos <= -NANOS_PER_SECOND || nanos >= NANOS_PER_SECOND)
        return ": nanos out of range)";
    if ((seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return ": seconds and nanos have different signs)";
    if (__builtin_mul_overflow(seconds, (int64_t)NANOS_PER_SECOND, sum_r) ||
        __builtin_add_overflow(*sum_r, (int64_t)nanos, sum_r))
        return " is out of range for time.Duration)";
    return NULL;
}

void
go_time_add_duration(struct text *text, int64_t seconds, int32_t nanos)
{
    int64_t sum = 0;
    const char *complaint = duration_complaint(seconds, nanos, &sum);
    if (complaint == NULL) {
        add_nanoseconds(text, sum);
        return;
    }
    text_add_literal(text, "(duration: &types.types.Duration");
    add_parts(text, seconds, nanos);
    text_add_bytes(text, complaint, strlen(complaint));
}

void
go_time_add_no_duration(struct text *text)
{
    text_add_literal(text, "(duration: nil types.Duration)");
}
