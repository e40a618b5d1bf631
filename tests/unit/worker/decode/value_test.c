/* value_test.c -- each member of a Value is read, by the short way and by the general one, and a
 * fault in one names it. */
#include "tests/unit/scratch.h"

#include "worker/call_refusal.h"
#include "worker/decode/value.h"

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

/* An unknown field, which keeps a value from being one of the usual ones. */
#define UNKNOWN "\x78\x01"

static struct wire_fault fault;
static struct value value;

static bool
read_into_value(struct bytes bytes)
{
    wire_fault_begin(&fault, bytes);
    return value_read(&fault, bytes, &value);
}

static void
read_value(struct bytes bytes, enum value_kind kind)
{
    value_clear(&value);
    assert_true(read_into_value(bytes));
    assert_int_equal(value.kind, kind);
}

static void
expect_fault(struct bytes bytes, const char *text)
{
    struct call_refusal refusal;
    value_clear(&value);
    assert_false(read_into_value(bytes));
    assert_false(wire_explain(&fault, &refusal));
    assert_string_equal(refusal.text, text);
}

static void
test_nothing_is_no_kind(void **state)
{
    (void)state;
    read_value(BYTES(""), VALUE_NONE);
    read_value(BYTES(UNKNOWN), VALUE_NONE);
}

static void
test_strings_both_ways(void **state)
{
    (void)state;
    read_value(BYTES("\x0a\x03"
                     "a\0c"),
               VALUE_STRING);
    assert_true(bytes_equal(value.bytes, BYTES("a\0c")));
    read_value(BYTES(UNKNOWN "\x0a\x03"
                             "a\0c"),
               VALUE_STRING);
    assert_true(bytes_equal(value.bytes, BYTES("a\0c")));
    read_value(BYTES("\x0a\x00"), VALUE_STRING);
    assert_int_equal(value.bytes.size, 0);
}

static void
expect_integer(struct bytes bytes, int64_t integer)
{
    read_value(bytes, VALUE_INT64);
    assert_int_equal(value.integer, integer);
}

static void
test_integers_both_ways(void **state)
{
    (void)state;
    expect_integer(BYTES("\x10\x00"), 0);
    expect_integer(BYTES("\x10\x7f"), 127);
    expect_integer(BYTES("\x10\x80\x01"), 128);
    expect_integer(BYTES("\x10\xff\x7f"), 16383);
    expect_integer(BYTES("\x10\x80\x80\x01"), 16384);
    expect_integer(BYTES("\x10\x80\x00"), 0); /* overlong */
    expect_integer(BYTES(UNKNOWN "\x10\xff\x7f"), 16383);
    expect_integer(BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1);
    /* Two members of a byte each are no number of two bytes. */
    expect_integer(BYTES("\x10\x05\x10\x06"), 6);
}

static void
test_doubles_both_ways(void **state)
{
    (void)state;
    read_value(BYTES("\x19\x00\x00\x00\x00\x00\x00\xf8\x3f"), VALUE_DOUBLE);
    assert_true(value.number == 1.5);
    read_value(BYTES(UNKNOWN "\x19\x00\x00\x00\x00\x00\x00\xf8\xbf"), VALUE_DOUBLE);
    assert_true(value.number == -1.5);
}

static void
test_bools(void **state)
{
    (void)state;
    read_value(BYTES("\x20\x01"), VALUE_BOOL);
    assert_true(value.truth);
    read_value(BYTES("\x20\x80\x02"), VALUE_BOOL);
    assert_true(value.truth);
    read_value(BYTES("\x20\x00"), VALUE_BOOL);
    assert_false(value.truth);
}

static void
test_wrapped_names_and_addresses(void **state)
{
    (void)state;
    static const struct {
        char tag;
        enum value_kind kind;
    } kinds[] = {{0x2a, VALUE_IP_ADDRESS},
                 {0x42, VALUE_EMAIL_ADDRESS},
                 {0x4a, VALUE_DNS_NAME},
                 {0x52, VALUE_URI}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char wire[] = {kinds[i].tag, 5, 0x0a, 3, 'a', 'b', 'c'};
        read_value((struct bytes){wire, sizeof(wire)}, kinds[i].kind);
        assert_true(bytes_equal(value.bytes, BYTES("abc")));
        const char empty[] = {kinds[i].tag, 0};
        read_value((struct bytes){empty, sizeof(empty)}, kinds[i].kind);
        assert_int_equal(value.bytes.size, 0);
    }
}

static void
test_moments_are_set_or_not_and_merged(void **state)
{
    (void)state;
    read_value(BYTES("\x32\x06\x0a\x04\x08\x05\x10\x07"), VALUE_TIMESTAMP);
    assert_true(value.moment.is_set);
    assert_int_equal(value.moment.seconds, 5);
    assert_int_equal(value.moment.nanos, 7);
    read_value(BYTES("\x3a\x00"), VALUE_DURATION);
    assert_false(value.moment.is_set);
    /* Twice in one wrapper: merged. Two wrappers: the last. */
    read_value(BYTES("\x3a\x08\x0a\x02\x08\x05\x0a\x02\x10\x07"), VALUE_DURATION);
    assert_int_equal(value.moment.seconds, 5);
    assert_int_equal(value.moment.nanos, 7);
    read_value(BYTES("\x3a\x04\x0a\x02\x08\x05\x3a\x04\x0a\x02\x10\x07"), VALUE_DURATION);
    assert_int_equal(value.moment.seconds, 0);
    assert_int_equal(value.moment.nanos, 7);
}

static void
test_a_later_member_replaces_an_earlier_one(void **state)
{
    (void)state;
    read_value(BYTES("\x0a\x01x\x10\x05"), VALUE_INT64);
    assert_int_equal(value.integer, 5);
    /* One that *value has already, too; but nothing replaces nothing. */
    assert_true(read_into_value(BYTES("\x20\x01")));
    assert_int_equal(value.kind, VALUE_BOOL);
    assert_true(read_into_value(BYTES("")));
    assert_int_equal(value.kind, VALUE_BOOL);
}

/* Pairs as they were taken. */
struct pairs {
    struct bytes keys[4];
    struct bytes strings[4];
    size_t count;
};

static void
take_pair(void *context, struct bytes key, struct bytes string)
{
    struct pairs *pairs = context;
    assert_true(pairs->count < 4);
    pairs->keys[pairs->count] = key;
    pairs->strings[pairs->count++] = string;
}

static void
test_a_string_map_is_checked_first_and_read_later(void **state)
{
    (void)state;
    struct pairs pairs = {.count = 0};
    read_value(BYTES("\x5a\x0f\x0a\x06\x0a\x01k\x12\x01v\x0a\x00\x0a\x03\x12\x01w"),
               VALUE_STRING_MAP);
    assert_true(value_read_string_map(&fault, value.bytes, take_pair, &pairs));
    assert_int_equal(pairs.count, 3);
    assert_true(bytes_equal(pairs.keys[0], BYTES("k")));
    assert_true(bytes_equal(pairs.strings[0], BYTES("v")));
    assert_int_equal(pairs.keys[1].size + pairs.strings[1].size, 0);
    assert_int_equal(pairs.keys[2].size, 0);
    assert_true(bytes_equal(pairs.strings[2], BYTES("w")));
}

static void
test_a_fault_names_the_member(void **state)
{
    (void)state;
    expect_fault(BYTES("\x0a\x05x"), "string_value: length 5 at byte 1 runs past the end");
    expect_fault(BYTES("\x0d\x05xxx"), "string_value: the wire type is not the field's at byte 0");
    expect_fault(BYTES("\x19xxxx"), "double_value: a fixed-size number is cut off at byte 1");
    expect_fault(BYTES("\x2a\x02\x0a\x05"),
                 "ip_address_value.value: length 5 at byte 3 runs past the end");
    expect_fault(BYTES("\x32\x04\x0a\x02\x10\x80"),
                 "timestamp_value.value.nanos: a number is cut off or longer than 10 bytes at "
                 "byte 5");
    expect_fault(BYTES("\x5a\x06\x0a\x00\x0a\x02\x0a\x09"),
                 "string_map_value.value[1].key: length 9 at byte 7 runs past the end");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_no_kind),
        cmocka_unit_test(test_strings_both_ways),
        cmocka_unit_test(test_integers_both_ways),
        cmocka_unit_test(test_doubles_both_ways),
        cmocka_unit_test(test_bools),
        cmocka_unit_test(test_wrapped_names_and_addresses),
        cmocka_unit_test(test_moments_are_set_or_not_and_merged),
        cmocka_unit_test(test_a_later_member_replaces_an_earlier_one),
        cmocka_unit_test(test_a_string_map_is_checked_first_and_read_later),
        cmocka_unit_test(test_a_fault_names_the_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
