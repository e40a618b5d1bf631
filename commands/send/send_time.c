/* send_time.c -- reads durations (Go's notation) and timestamps (RFC 3339) from the command line.
 *
 * Runs in the process of `mygrpcadapter send`. Both readers move a cursor over the text: each
 * take_...() function either takes what it is named after and moves the cursor behind it, or says
 * that it is not there.
 */
#include "commands/send/send_time.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define NANOS_PER_SECOND INT64_C(1000000000)
/* More do not fit a uint64_t, and are worth less than a nanosecond. */
#define FRACTION_DIGITS_MAX 18

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: google.protobuf.Timestamp's bounds. */
#define TIMESTAMP_SECONDS_MIN (-INT64_C(62135596800))
#define TIMESTAMP_SECONDS_MAX INT64_C(253402300799)

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
take(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    (*at)++;
    return true;
}

/* ---- durations */

struct unit {
    const char *name;
    uint64_t nanos;
};

static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\u00b5s", 1000}, /* micro sign */
    {"\u03bcs", 1000}, /* Greek mu */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60) * 1000000000},
    {"h", UINT64_C(3600) * 1000000000},
};

/* A unit's name is all that stands before the next digit or point, which tells "1m2s" from
 * "1ms". */
static const struct unit *
take_unit(const char **at)
{
    size_t length = 0;
    while ((*at)[length] != '\0' && (*at)[length] != '.' && !is_digit((*at)[length]))
        length++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == length && memcmp(units[i].name, *at, length) == 0) {
            *at += length;
            return &units[i];
        }
    }
    return NULL;
}

/* "3", "3.5", ".5" or "3.": at least one digit. The fraction is *fraction_r / *scale_r. */
static int
take_decimal(const char **at, uint64_t *whole_r, uint64_t *fraction_r, double *scale_r)
{
    const char *start = *at;
    size_t digit_count = 0;
    *whole_r = 0;
    *fraction_r = 0;
    *scale_r = 1;
    for (; is_digit(**at); (*at)++, digit_count++) {
        if (__builtin_mul_overflow(*whole_r, 10U, whole_r) ||
            __builtin_add_overflow(*whole_r, (uint64_t)(**at - '0'), whole_r))
            return -ERANGE;
    }
    if (take(at, '.')) {
        for (int taken = 0; is_digit(**at); (*at)++, taken++, digit_count++) {
            if (taken >= FRACTION_DIGITS_MAX)
                continue;
            *fraction_r = *fraction_r * 10 + (uint64_t)(**at - '0');
            *scale_r *= 10;
        }
    }
    if (digit_count == 0) {
        *at = start;
        return -EINVAL;
    }
    return 0;
}

/* One number with its unit, in nanoseconds. The fraction is computed in floating point, as in
 * Go. */
static int
take_term(const char **at, uint64_t *nanos_r)
{
    uint64_t whole;
    uint64_t fraction;
    double scale;
    int error = take_decimal(at, &whole, &fraction, &scale);
    if (error != 0)
        return error;
    const struct unit *unit = take_unit(at);
    if (unit == NULL)
        return -EINVAL;
    uint64_t part = (uint64_t)((double)fraction * ((double)unit->nanos / scale));
    if (__builtin_mul_overflow(whole, unit->nanos, nanos_r) ||
        __builtin_add_overflow(*nanos_r, part, nanos_r))
        return -ERANGE;
    return 0;
}

int
send_time_parse_duration(const char *text, int64_t *seconds_r, int32_t *nanos_r)
{
    const char *at = text;
    bool negative = take(&at, '-');
    if (!negative)
        (void)take(&at, '+');
    if (*at == '\0')
        return -EINVAL;

    uint64_t total = 0;
    if (strcmp(at, "0") == 0)
        at++;
    while (*at != '\0') {
        uint64_t term;
        int error = take_term(&at, &term);
        if (error != 0)
            return error;
        if (__builtin_add_overflow(total, term, &total) || total > INT64_MAX)
            return -ERANGE;
    }
    int64_t signed_total = negative ? -(int64_t)total : (int64_t)total;
    *seconds_r = signed_total / NANOS_PER_SECOND;
    *nanos_r = (int32_t)(signed_total % NANOS_PER_SECOND);
    return 0;
}

/* ---- timestamps */

/* Exactly `width` digits, and a number from `min` to `max`. */
static bool
take_number(const char **at, int width, int min, int max, int *number_r)
{
    int number = 0;
    for (int i = 0; i < width; i++) {
        if (!is_digit((*at)[i]))
            return false;
        number = number * 10 + ((*at)[i] - '0');
    }
    *at += width;
    *number_r = number;
    return number >= min && number <= max;
}

static bool
take_date(const char **at, struct tm *tm)
{
    int year;
    int month;
    if (!take_number(at, 4, 0, 9999, &year) || !take(at, '-') ||
        !take_number(at, 2, 1, 12, &month) || !take(at, '-') ||
        !take_number(at, 2, 1, 31, &tm->tm_mday))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return true;
}

static bool
take_time_of_day(const char **at, struct tm *tm)
{
    return take_number(at, 2, 0, 23, &tm->tm_hour) && take(at, ':') &&
           take_number(at, 2, 0, 59, &tm->tm_min) && take(at, ':') &&
           take_number(at, 2, 0, 59, &tm->tm_sec);
}

/* ".5" to ".123456789", or nothing. */
static bool
take_fraction(const char **at, int32_t *nanos_r)
{
    *nanos_r = 0;
    if (!take(at, '.'))
        return true;
    int digit_count = 0;
    for (; is_digit(**at); (*at)++, digit_count++) {
        if (digit_count == 9)
            return false;
        *nanos_r = *nanos_r * 10 + (**at - '0');
    }
    for (int i = digit_count; i < 9; i++)
        *nanos_r *= 10;
    return digit_count > 0;
}

/* "Z", or the local time's distance from UTC. */
static bool
take_zone(const char **at, int *offset_seconds_r)
{
    *offset_seconds_r = 0;
    if (take(at, 'Z') || take(at, 'z'))
        return true;
    bool west = take(at, '-');
    if (!west && !take(at, '+'))
        return false;
    int hours;
    int minutes;
    if (!take_number(at, 2, 0, 23, &hours) || !take(at, ':') ||
        !take_number(at, 2, 0, 59, &minutes))
        return false;
    *offset_seconds_r = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

int
send_time_parse_timestamp(const char *text, int64_t *seconds_r, int32_t *nanos_r)
{
    const char *at = text;
    struct tm tm = {0};
    int offset_seconds;
    if (!take_date(&at, &tm) || !(take(&at, 'T') || take(&at, 't')) ||
        !take_time_of_day(&at, &tm) || !take_fraction(&at, nanos_r) ||
        !take_zone(&at, &offset_seconds) || *at != '\0')
        return -EINVAL;

    /* There is no 30 February: timegm() makes 1 March of it. */
    struct tm normal = tm;
    int64_t seconds = timegm(&normal);
    if (normal.tm_mday != tm.tm_mday)
        return -EINVAL;
    seconds -= offset_seconds;
    if (seconds < TIMESTAMP_SECONDS_MIN || seconds > TIMESTAMP_SECONDS_MAX)
        return -ERANGE;
    *seconds_r = seconds;
    return 0;
}
