/* text_test.c -- appending, numbers, the limit, and giving memory back. */
#include "worker/render/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIB ((size_t)1024)

static void
assert_text(const struct text *text, const char *expected)
{
    struct bytes bytes = text_bytes(text);
    assert_int_equal(bytes.size, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.size);
}

static void
appends_in_order(void **state)
{
    (void)state;
    struct text *text;
    assert_int_equal(text_open(&text, 100, 100), 0);
    assert_text(text, "");
    text_add_literal(text, "a:");
    text_add_byte(text, 'b');
    text_add_bytes(text, "cde", 2);
    text_add(text, (struct bytes){NULL, 0});
    text_add(text, (struct bytes){"f", 1});
    assert_text(text, "a:bcdf");
    text_reset(text);
    text_add_literal(text, "new");
    assert_text(text, "new");
    text_close(&text);
    assert_null(text);
    text_close(&text);
}

static void
check_signed(struct text *text, int64_t number)
{
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "%" PRId64, number);
    text_reset(text);
    text_add_i64(text, number);
    assert_text(text, expected);
}

static void
check_unsigned(struct text *text, uint64_t number)
{
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "%" PRIu64, number);
    text_reset(text);
    text_add_u64(text, number);
    assert_text(text, expected);
}

static void
numbers_are_decimal(void **state)
{
    (void)state;
    struct text *text;
    assert_int_equal(text_open(&text, 100, 100), 0);
    for (int64_t number = -1100; number <= 1100; number++)
        check_signed(text, number);
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
        check_unsigned(text, power - 1);
        check_unsigned(text, power);
        check_unsigned(text, power + 1);
        check_signed(text, -(int64_t)power);
    }
    check_unsigned(text, UINT64_C(10000000000000000000));
    check_unsigned(text, UINT64_MAX);
    check_signed(text, INT64_MAX);
    check_signed(text, INT64_MIN);
    text_close(&text);
}

static void
overflow_sticks_until_reset(void **state)
{
    (void)state;
    struct text *text;
    assert_int_equal(text_open(&text, 10, 10), 0);
    text_add_literal(text, "0123456789");
    text_add_bytes(text, "", 0);
    assert_false(text_overflowed(text));
    assert_text(text, "0123456789");
    text_add_byte(text, 'x');
    assert_true(text_overflowed(text));
    text_add_u64(text, 1);
    text_add_bytes(text, "", 0);
    assert_true(text_overflowed(text));

    text_reset(text);
    assert_false(text_overflowed(text));
    text_add_literal(text, "01234");
    text_add_i64(text, -123456);
    assert_true(text_overflowed(text));
    text_add_byte(text, 'x');
    assert_true(text_overflowed(text));

    text_reset(text);
    volatile size_t huge = SIZE_MAX;
    text_add_bytes(text, "x", huge);
    assert_true(text_overflowed(text));
    text_reset(text);
    text_add_literal(text, "again");
    assert_text(text, "again");
    text_close(&text);
}

static void
reset_gives_the_excess_back(void **state)
{
    (void)state;
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct text *text;
    assert_int_equal(text_open(&text, 4096 * KIB, 64 * KIB), 0);
    for (size_t i = 0; i < 128 * KIB; i++)
        text_add_literal(text, "12345678");
    assert_false(text_overflowed(text));
    struct bytes bytes = text_bytes(text);
    assert_int_equal(bytes.size, 1024 * KIB);
    text_reset(text);
    unsigned char in_memory[1024];
    assert_true(bytes.size / page_bytes <= sizeof(in_memory));
    assert_int_equal(mincore(text->base, bytes.size, in_memory), 0);
    for (size_t i = 0; i < bytes.size / page_bytes; i++)
        assert_true(i < 64 * KIB / page_bytes || (in_memory[i] & 1) == 0);
    text_close(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(overflow_sticks_until_reset),
        cmocka_unit_test(reset_gives_the_excess_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
