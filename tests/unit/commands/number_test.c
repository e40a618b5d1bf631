/* number_test.c -- which arguments are numbers, and which are not. */
#include "tests/unit/scratch.h"

#include "commands/number.h"

static void
test_numbers(void **state)
{
    (void)state;
    uint64_t number = 0;
    assert_int_equal(number_parse(&number, "1", 10), 0);
    assert_int_equal(number, 1);
    assert_int_equal(number_parse(&number, "010", 10), 0);
    assert_int_equal(number, 10);
    assert_int_equal(number_parse(&number, "18446744073709551615", UINT64_MAX), 0);
    assert_true(number == UINT64_MAX);
}

static void
test_what_is_none(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "0",
                                          "11",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1.5",
                                          "1e",
                                          "0x1",
                                          "ten",
                                          "1\n",
                                          "18446744073709551617"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        uint64_t number = 7;
        assert_int_equal(number_parse(&number, refused[i], 10), -EINVAL);
        assert_int_equal(number, 7);
    }
    uint64_t number = 7;
    assert_int_equal(number_parse(&number, "18446744073709551616", UINT64_MAX), -EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
