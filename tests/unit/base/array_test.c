/* array_test.c -- an array that grows keeps what is in it, and is untouched where it cannot
 * grow. */
#include "tests/unit/scratch.h"

#include "base/array.h"

static void
test_keeps_what_is_in_it(void **state)
{
    (void)state;
    uint64_t *items = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(ARRAY_RESERVE(items, capacity, i + 1), 0);
        assert_true(capacity > i);
        items[i] = i * 3;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i * 3);
    size_t before = capacity;
    assert_int_equal(ARRAY_RESERVE(items, capacity, 10), 0);
    assert_int_equal(capacity, before);
    free(items);
}

static void
test_refuses_what_no_memory_holds(void **state)
{
    (void)state;
    uint64_t *items = NULL;
    size_t capacity = 0;
    assert_int_equal(ARRAY_RESERVE(items, capacity, 1), 0);
    uint64_t *before = items;
    size_t room = capacity;
    assert_int_equal(ARRAY_RESERVE(items, capacity, SIZE_MAX), -ENOMEM);
    assert_int_equal(ARRAY_RESERVE(items, capacity, SIZE_MAX / 8 + 2), -ENOMEM); /* wraps round */
    assert_ptr_equal(items, before);
    assert_int_equal(capacity, room);
    free(items);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_is_in_it),
        cmocka_unit_test(test_refuses_what_no_memory_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
