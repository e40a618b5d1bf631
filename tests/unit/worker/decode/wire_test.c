/* wire_test.c -- tags, numbers and lengths are read as gogo reads them, and a fault says what,
 * where and for which cause. */
#include "tests/unit/scratch.h"

#include "worker/call_refusal.h"
#include "worker/decode/wire.h"

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

static struct wire_fault fault;

static struct wire
begin(struct bytes bytes)
{
    wire_fault_begin(&fault, bytes);
    return wire_open(&fault, bytes);
}

static void
expect_fault(const char *text)
{
    struct call_refusal refusal;
    assert_false(wire_explain(&fault, &refusal));
    assert_int_equal(refusal.cause, REFUSAL_MALFORMED);
    assert_string_equal(refusal.text, text);
}

/* Writes a number as a varint of `size` bytes, which may be more than it needs. */
static size_t
put_varint(char *out, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++, number >>= 7)
        out[i] = (char)((number & 0x7f) | (i + 1 < size ? 0x80 : 0));
    return size;
}

static void
test_numbers_of_every_length_with_and_without_bytes_behind(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {
        0,         1, 127, 128, 300, UINT32_MAX, UINT64_C(1) << 56, UINT64_C(0x123456789abcdef0),
        UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t least = 1;
        while (least < 10 && numbers[i] >> (7 * least) != 0)
            least++;
        for (size_t size = least; size <= 10; size++) {
            for (size_t behind = 0; behind <= 10; behind++) {
                char bytes[20];
                memset(bytes, '\xff', sizeof(bytes));
                (void)put_varint(bytes, numbers[i], size);
                struct wire wire = begin((struct bytes){bytes, size + behind});
                uint64_t number = 0;
                assert_true(wire_varint(&wire, "x", &number));
                assert_int_equal(number, numbers[i]);
                assert_int_equal(wire.end - wire.at, behind);
            }
        }
    }
}

static void
test_a_varint_ends_within_ten_bytes_and_the_message(void **state)
{
    (void)state;
    static const char endless[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    uint64_t number = 0;
    for (size_t size = 0; size < sizeof(endless); size++) {
        struct wire wire = begin((struct bytes){endless, size});
        assert_false(wire_varint(&wire, "a number ends nowhere", &number));
        expect_fault("a number ends nowhere at byte 0");
    }
}

static void
test_a_field_has_a_number_and_a_type(void **state)
{
    (void)state;
    struct wire_field field = {.number = 0};
    struct wire wire = begin(BYTES("\x0a\xfa\xd2\xe4\x93\x02"));
    assert_true(wire_field(&wire, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.type, WIRE_LENGTH);
    assert_true(wire_field(&wire, &field));
    assert_int_equal(field.number, 72295727);
    assert_false(wire_more(&wire));
    /* Of the number 32 bits count, and then it is above 0 or a fault. */
    wire = begin(BYTES("\x8a\x80\x80\x80\x80\x01"));
    assert_true(wire_field(&wire, &field));
    assert_int_equal(field.number, 1);
    wire = begin(BYTES("\x02"));
    assert_false(wire_field(&wire, &field));
    expect_fault("a field's number is not above 0 at byte 0");
    wire = begin(BYTES("\x0c"));
    assert_false(wire_field(&wire, &field));
    expect_fault("a group ends that did not begin at byte 0");
}

static void
test_a_type_that_is_not_the_fields_is_a_fault(void **state)
{
    (void)state;
    struct wire_field field = {.number = 0};
    struct bytes bytes = {NULL, 0};
    uint64_t number = 0;
    struct wire wire = begin(BYTES("\x08\x01"));
    assert_true(wire_field(&wire, &field));
    assert_false(wire_bytes(&wire, &field, &bytes));
    expect_fault("the wire type is not the field's at byte 0");
    assert_false(wire_fixed64(&wire, &field, &number));
    assert_true(wire_number(&wire, &field, &number));
    assert_int_equal(number, 1);
}

static void
test_fixed_numbers_are_little_endian_and_whole(void **state)
{
    (void)state;
    static const char bytes[] = "\x09\x01\x02\x03\x04\x05\x06\x07\x08";
    struct wire_field field = {.number = 0};
    uint64_t number = 0;
    struct wire wire = begin((struct bytes){bytes, 9});
    assert_true(wire_field(&wire, &field) && wire_fixed64(&wire, &field, &number));
    assert_true(number == UINT64_C(0x0807060504030201));
    wire = begin((struct bytes){bytes, 8});
    assert_true(wire_field(&wire, &field));
    assert_false(wire_fixed64(&wire, &field, &number));
    expect_fault("a fixed-size number is cut off at byte 1");
}

static void
test_a_length_stays_within_the_message(void **state)
{
    (void)state;
    struct bytes bytes = {NULL, 0};
    struct wire wire = begin(BYTES("\x03"
                                   "abcd"));
    assert_true(wire_length(&wire, &bytes));
    assert_true(bytes_equal(bytes, BYTES("abc")));
    assert_int_equal(wire.end - wire.at, 1);
    wire = begin(BYTES("\x05"
                       "abcd"));
    assert_false(wire_length(&wire, &bytes));
    expect_fault("length 5 at byte 0 runs past the end");
    wire = begin(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_false(wire_length(&wire, &bytes));
    expect_fault("length 18446744073709551615 at byte 0 runs past the end");
}

/* Skips the value of the first field; returns how many bytes are left, or -1 at a fault. */
static ptrdiff_t
left_behind(struct bytes bytes)
{
    struct wire_field field = {.number = 0};
    struct wire wire = begin(bytes);
    assert_true(wire_field(&wire, &field));
    return wire_skip(&wire, &field) ? wire.end - wire.at : -1;
}

static void
test_any_value_can_be_skipped(void **state)
{
    (void)state;
    assert_int_equal(left_behind(BYTES("\x78\x96\x01!")), 1);
    assert_int_equal(left_behind(BYTES("\x79"
                                       "12345678!")),
                     1);
    assert_int_equal(left_behind(BYTES("\x7a\x03"
                                       "abc!")),
                     1);
    assert_int_equal(left_behind(BYTES("\x7d"
                                       "1234!")),
                     1);
    /* Groups in groups, which end with whatever number. */
    assert_int_equal(left_behind(BYTES("\x7b\x0b\x08\x05\x0c\x7c!")), 1);
    assert_int_equal(left_behind(BYTES("\x7b\x0b\x08\x05\x0c")), -1);
    assert_int_equal(left_behind(BYTES("\x7d"
                                       "123")),
                     -1);
    assert_int_equal(left_behind(BYTES("\x7e")), -1);
    expect_fault("an unknown wire type at byte 0");
}

static void
test_the_path_grows_from_the_inside(void **state)
{
    (void)state;
    struct wire wire = begin(BYTES("abc"));
    assert_false(wire_refuse(&wire, wire.at + 2, "this is odd"));
    expect_fault("this is odd at byte 2");
    assert_false(wire_in(&wire, "key"));
    assert_false(wire_in_item(&wire, "dimensions", 7));
    assert_false(wire_fault_in(&fault, "instances"));
    expect_fault("instances.dimensions[7].key: this is odd at byte 2");
}

static void
test_a_path_too_long_loses_what_does_not_fit(void **state)
{
    (void)state;
    struct call_refusal refusal;
    struct wire wire = begin(BYTES("a"));
    assert_false(wire_refuse(&wire, wire.at, "odd"));
    for (int i = 0; i < 100; i++)
        assert_false(wire_in(&wire, "sixteen_letters_"));
    assert_false(wire_explain(&fault, &refusal));
    assert_true(strlen(refusal.text) <= WIRE_PATH_BYTES + strlen(": odd at byte 0"));
    assert_non_null(strstr(refusal.text, "sixteen_letters_: odd at byte 0"));
}

static void
test_a_limit_is_refused_for_its_own_cause(void **state)
{
    (void)state;
    struct call_refusal refusal;
    struct wire wire = begin(BYTES("abc"));
    assert_false(wire_refuse_for(&wire, REFUSAL_TOO_LARGE, wire.at + 1, "one too many"));
    assert_false(wire_in_item(&wire, "dimensions", 3));
    assert_false(wire_explain(&fault, &refusal));
    assert_int_equal(refusal.cause, REFUSAL_TOO_LARGE);
    assert_string_equal(refusal.text, "dimensions[3]: one too many at byte 1");
    /* The next request has faults of its own. */
    wire = begin(BYTES("\x80"));
    struct wire_field field = {.number = 0};
    assert_false(wire_tag(&wire, &field));
    expect_fault("a tag is cut off or longer than 10 bytes at byte 0");
}

/* Whatever wire_is_pair() takes, reading field by field gives the same. */
static void
test_a_pair_is_what_the_fields_say(void **state)
{
    (void)state;
    unsigned taken = 0;
    for (uint32_t seed = 0; seed < 200000; seed++) {
        char bytes[10];
        uint32_t random = seed * 2654435761U;
        size_t size = random % 9;
        for (size_t i = 0; i < size; i++) {
            random = random * 1664525U + 1013904223U;
            static const char usual[] = {0x0a, 0x12, 0, 1, 2, 3, 'x', '\x80'};
            bytes[i] = usual[random >> 29];
        }
        struct bytes first = {NULL, 0};
        struct bytes second = {NULL, 0};
        if (!wire_is_pair((struct bytes){bytes, size}, &first, &second)) {
            assert_null(first.data);
            continue;
        }
        taken++;
        struct wire_field field = {.number = 0};
        struct bytes read = {NULL, 0};
        struct wire wire = begin((struct bytes){bytes, size});
        assert_true(wire_field(&wire, &field) && field.number == 1);
        assert_true(wire_bytes(&wire, &field, &read) && read.data == first.data);
        assert_int_equal(read.size, first.size);
        assert_true(wire_field(&wire, &field) && field.number == 2);
        assert_true(wire_bytes(&wire, &field, &read) && read.data == second.data);
        assert_int_equal(read.size, second.size);
        assert_false(wire_more(&wire));
    }
    assert_true(taken > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_every_length_with_and_without_bytes_behind),
        cmocka_unit_test(test_a_varint_ends_within_ten_bytes_and_the_message),
        cmocka_unit_test(test_a_field_has_a_number_and_a_type),
        cmocka_unit_test(test_a_type_that_is_not_the_fields_is_a_fault),
        cmocka_unit_test(test_fixed_numbers_are_little_endian_and_whole),
        cmocka_unit_test(test_a_length_stays_within_the_message),
        cmocka_unit_test(test_any_value_can_be_skipped),
        cmocka_unit_test(test_the_path_grows_from_the_inside),
        cmocka_unit_test(test_a_path_too_long_loses_what_does_not_fit),
        cmocka_unit_test(test_a_limit_is_refused_for_its_own_cause),
        cmocka_unit_test(test_a_pair_is_what_the_fields_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
