/* bytes_test.c -- numbers in files are little-endian at any address, and runs of bytes compare
 * whole. */
#include "tests/unit/scratch.h"

#include "base/bytes.h"

static void
test_numbers_are_stored_lowest_byte_first(void **state)
{
    (void)state;
    unsigned char at[8];
    le16_put(at, 0xf1e2);
    assert_memory_equal(at, "\xe2\xf1", 2);
    le32_put(at, 0xf1e2d3c4);
    assert_memory_equal(at, "\xc4\xd3\xe2\xf1", 4);
    le64_put(at, 0xf1e2d3c4b5a69788);
    assert_memory_equal(at, "\x88\x97\xa6\xb5\xc4\xd3\xe2\xf1", 8);
}

static void
test_numbers_are_read_lowest_byte_first(void **state)
{
    (void)state;
    static const unsigned char at[8] = {0x88, 0x97, 0xa6, 0xb5, 0xc4, 0xd3, 0xe2, 0xf1};
    assert_int_equal(le16_get(at), 0x9788);
    assert_int_equal(le32_get(at), 0xb5a69788);
    assert_int_equal(le64_get(at), 0xf1e2d3c4b5a69788);
}

static void
test_a_number_takes_its_own_bytes_at_any_address(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        unsigned char around[24];
        memset(around, 0x55, sizeof(around));
        unsigned char *at = around + 8 + shift;
        le16_put(at, UINT16_MAX);
        assert_int_equal(le16_get(at), UINT16_MAX);
        assert_int_equal(at[2], 0x55);
        le32_put(at, UINT32_MAX);
        assert_int_equal(le32_get(at), UINT32_MAX);
        assert_int_equal(at[4], 0x55);
        le64_put(at, UINT64_MAX);
        assert_int_equal(le64_get(at), UINT64_MAX);
        assert_int_equal(at[-1], 0x55);
        assert_int_equal(at[8], 0x55);
    }
}

static void
test_the_bounds_survive_a_round_trip(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0,     1,      0x7f,       0x80,      0xff,
                                       0x100, 0x8000, UINT32_MAX, 1ULL << 63};
    unsigned char at[8];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        le16_put(at, (uint16_t)numbers[i]);
        assert_int_equal(le16_get(at), (uint16_t)numbers[i]);
        le32_put(at, (uint32_t)numbers[i]);
        assert_int_equal(le32_get(at), (uint32_t)numbers[i]);
        le64_put(at, numbers[i]);
        assert_int_equal(le64_get(at), numbers[i]);
    }
}

static void
test_empty_runs_are_equal_wherever_they_point(void **state)
{
    (void)state;
    assert_true(bytes_equal((struct bytes){NULL, 0}, (struct bytes){NULL, 0}));
    assert_true(bytes_equal((struct bytes){NULL, 0}, (struct bytes){"", 0}));
    assert_true(bytes_equal((struct bytes){"a", 0}, (struct bytes){"b", 0}));
    assert_false(bytes_equal((struct bytes){NULL, 0}, (struct bytes){"a", 1}));
    assert_false(bytes_equal((struct bytes){"\0", 1}, (struct bytes){NULL, 0}));
}

static void
test_runs_compare_whole_beyond_a_nul(void **state)
{
    (void)state;
    static const char one[] = "a\0b";
    static const char same[] = "a\0b";
    assert_true(bytes_equal((struct bytes){one, 3}, (struct bytes){same, 3}));
    assert_false(bytes_equal((struct bytes){one, 3}, (struct bytes){"a\0c", 3}));
    assert_false(bytes_equal((struct bytes){one, 3}, (struct bytes){same, 2}));
    assert_false(bytes_equal((struct bytes){"xb", 2}, (struct bytes){"ab", 2}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_stored_lowest_byte_first),
        cmocka_unit_test(test_numbers_are_read_lowest_byte_first),
        cmocka_unit_test(test_a_number_takes_its_own_bytes_at_any_address),
        cmocka_unit_test(test_the_bounds_survive_a_round_trip),
        cmocka_unit_test(test_empty_runs_are_equal_wherever_they_point),
        cmocka_unit_test(test_runs_compare_whole_beyond_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
