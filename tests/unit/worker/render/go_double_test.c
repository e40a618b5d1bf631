/* go_double_test.c -- every row of tests/golden/go-float-vectors.tsv, and the edges of the layout.
 * Runs in the root of the repository. */
#include "worker/render/go_double.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS "tests/golden/go-float-vectors.tsv"

static void
check(double value, const char *expected)
{
    char text[GO_DOUBLE_BYTES_MAX + 1] = "";
    size_t size = go_double_format(value, text);
    assert_true(size <= 24);
    text[size] = '\0';
    assert_string_equal(text, expected);
}

static void
go_vectors(void **state)
{
    (void)state;
    FILE *file = fopen(VECTORS, "re");
    assert_non_null(file);
    char line[128];
    size_t rows = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        char *end;
        uint64_t bits = strtoull(line, &end, 16);
        assert_int_equal(*end, '\t');
        end[1 + strcspn(end + 1, "\n")] = '\0';
        double value;
        memcpy(&value, &bits, sizeof(value));
        check(value, end + 1);
        rows++;
    }
    (void)fclose(file);
    assert_int_equal(rows, 831);
}

static void
layout(void **state)
{
    (void)state;
    check(0.0, "0");
    check(-0.0, "-0");
    check(1.0, "1");
    check(-1.5, "-1.5");
    check(10.0, "10");
    check(100000.0, "100000");
    check(999999.0, "999999");
    check(999999.5, "999999.5");
    check(1000000.0, "1e+06");
    check(123456789.0, "1.23456789e+08");
    check(0.0001, "0.0001");
    check(0.00012345, "0.00012345");
    check(0.00001, "1e-05");
    check(-0.1, "-0.1");
    check(1.0 / 3, "0.3333333333333333");
    check(0x1p-24, "5.960464477539063e-08");
    check(1.7976931348623157e308, "1.7976931348623157e+308");
    check(-2.2250738585072014e-308, "-2.2250738585072014e-308");
    check(5e-324, "5e-324");
    check(INFINITY, "+Inf");
    check(-INFINITY, "-Inf");
    check(NAN, "NaN");
    check(-NAN, "NaN");
}

static uint64_t
next_random(uint64_t *bits)
{
    *bits ^= *bits << 13; /* xorshift64, George Marsaglia */
    *bits ^= *bits >> 7;
    *bits ^= *bits << 17;
    return *bits;
}

/* Whatever the layout, the text reads back as the same double. */
static void
reads_back(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252;
    for (int i = 0; i < 200000; i++) {
        (void)next_random(&bits);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        if (i % 2 == 0)
            value = (double)(int64_t)(bits >> 34) / 1000.0;
        char text[GO_DOUBLE_BYTES_MAX + 1];
        text[go_double_format(value, text)] = '\0';
        double again = strtod(text, NULL);
        assert_memory_equal(&again, &value, sizeof(value));
    }
}

/* The significant digits of a text, with a point after the first. */
static void
significant(const char *text, char digits[GO_DOUBLE_BYTES_MAX + 2])
{
    size_t used = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (used == 0 && *text == '0'))
            continue;
        if (used == 1)
            digits[used++] = '.';
        digits[used++] = *text;
    }
    while (used > 1 && (digits[used - 1] == '0' || digits[used - 1] == '.'))
        used--;
    digits[used] = '\0';
}

/* The text reads back, with a digit less it would not, and of those as long it is the nearest:
 * C's own. */
static void
assert_fewest(double value)
{
    char text[GO_DOUBLE_BYTES_MAX + 1];
    char digits[GO_DOUBLE_BYTES_MAX + 2];
    char expected[64];
    text[go_double_format(value, text)] = '\0';
    assert_true(strtod(text, NULL) == value);
    significant(text, digits);
    int count = (int)strlen(digits) - (strlen(digits) > 1 ? 1 : 0);
    (void)snprintf(expected, sizeof(expected), "%.*e", count - 1, fabs(value));
    *strchr(expected, 'e') = '\0';
    assert_string_equal(digits, expected);
    if (count > 1) {
        (void)snprintf(expected, sizeof(expected), "%.*e", count - 2, fabs(value));
        assert_true(strtod(expected, NULL) != fabs(value));
    }
}

static void
decimals_are_the_fewest(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252;
    for (double unit = 1; unit <= 1e12; unit *= 10) {
        for (int i = 0; i < 4000; i++) {
            uint64_t random = next_random(&bits);
            double value = (double)(random >> (14 + random % 48)) / unit;
            if (value < 1e-4)
                continue;
            assert_fewest(value);
            assert_fewest(-nextafter(value, INFINITY));
            assert_fewest(nextafter(value, 0));
        }
    }
}

/* All exponents that are printed without one, and some on both sides. Of a power of two the
 * digits are those of the number itself; the nearest of as few might not read back. */
static void
all_plain_exponents(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252;
    for (int exponent = -17; exponent <= 22; exponent++) {
        double power = ldexp(1, exponent);
        double larger = power;
        double smaller = power;
        for (int i = 0; i < 200; i++) {
            larger = nextafter(larger, INFINITY);
            smaller = nextafter(smaller, 0);
            assert_fewest(larger);
            assert_fewest(smaller);
        }
        for (int i = 0; i < 3000; i++)
            assert_fewest(power * (1 + ldexp((double)(next_random(&bits) >> 12 | 1), -52)));
    }
    check(0x1p-13, "0.0001220703125");
    check(0x1p-12, "0.000244140625");
    check(0x1p-10, "0.0009765625");
    check(0x1p-1, "0.5");
    check(0x1p19, "524288");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(go_vectors),          cmocka_unit_test(layout),
        cmocka_unit_test(reads_back),          cmocka_unit_test(decimals_are_the_fewest),
        cmocka_unit_test(all_plain_exponents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
