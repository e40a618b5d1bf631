/* quote_test.c -- whatever the bytes, what people see is printable, on one line, and tells them
 * apart. */
#include "tests/unit/scratch.h"

#include "base/quote.h"

static struct bytes
text(const char *string)
{
    return (struct bytes){string, strlen(string)};
}

static void
test_forms(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(quote_bytes(out, sizeof(out), text("plain text"), QUOTE_PLAIN),
                        "plain text");
    assert_string_equal(
        quote_bytes(out, sizeof(out), text("a\nb\tc\\d\x1b\x7f\xc3\xa9"), QUOTE_PLAIN),
        "a\\nb\\tc\\\\d\\x1b\\x7f\\xc3\\xa9");
    assert_string_equal(quote_bytes(out, sizeof(out), text("\"a b\""), QUOTE_PLAIN), "\"a b\"");
    assert_string_equal(quote_bytes(out, sizeof(out), text("\"a b\""), QUOTE_MARKS), "\\\"a b\\\"");
    assert_string_equal(quote_bytes(out, sizeof(out), text("\"a b\""), QUOTE_SPACES),
                        "\"a\\x20b\"");
    assert_string_equal(quote_bytes(out, sizeof(out), (struct bytes){"a\0b", 3}, QUOTE_PLAIN),
                        "a\\x00b");
    assert_string_equal(quote_bytes(out, sizeof(out), (struct bytes){NULL, 0}, QUOTE_PLAIN), "");
}

/* Every length of text in every length of room: never a form cut in its middle. */
static void
test_cut(void **state)
{
    (void)state;
    char in[64];
    char whole[sizeof(in) * 4 + 1];
    char out[sizeof(whole)];
    for (size_t size = 0; size < sizeof(in); size++) {
        memset(in, 'a', sizeof(in));
        for (size_t i = 0; i < size; i += 3)
            in[i] = '\x01';
        struct bytes given = {in, size};
        (void)quote_bytes(whole, sizeof(whole), given, QUOTE_PLAIN);
        for (size_t room = QUOTE_BYTES_MIN; room < sizeof(out); room++) {
            (void)quote_bytes(out, room, given, QUOTE_PLAIN);
            size_t length = strlen(out);
            assert_true(length < room);
            if (strlen(whole) < room) {
                assert_string_equal(out, whole);
                continue;
            }
            assert_string_equal(out + length - 3, "...");
            assert_memory_equal(out, whole, length - 3);
            assert_true(length + 4 >= room - 3); /* no more is cut than must be */
            assert_true(whole[length - 3] == '\\' || whole[length - 3] == 'a');
        }
    }
}

static void
test_print(void **state)
{
    (void)state;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    quote_print(out, (struct bytes){"a\0\n \"", 5}, QUOTE_MARKS | QUOTE_SPACES);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(printed, "a\\x00\\n\\x20\\\"");
    free(printed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
