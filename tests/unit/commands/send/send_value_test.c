/* send_value_test.c -- every type of value of the command line, and what is refused with which
 * words. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "commands/send/send_value.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_every_type),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
