/* text_pool_test.c -- texts stay as they were given until the pool is emptied, and lie together. */
#include "tests/unit/scratch.h"

#include "collector/text_pool.h"

static void
test_texts_lie_one_behind_the_other(void **state)
{
    (void)state;
    struct text_pool pool = {.capacity = 16};
    struct bytes one;
    struct bytes nothing;
    struct bytes two;
    char text[] = "abc";
    assert_int_equal(text_pool_add(&pool, (struct bytes){text, 3}, &one), 0);
    text[0] = 'X'; /* what was given is not needed any more */
    assert_int_equal(text_pool_add(&pool, (struct bytes){NULL, 0}, &nothing), 0);
    assert_int_equal(text_pool_add(&pool, (struct bytes){"defg", 4}, &two), 0);
    assert_int_equal(nothing.size, 0);
    assert_ptr_equal(one.data + one.size, two.data);
    assert_memory_equal(one.data, "abcdefg", 7);
    text_pool_clear(&pool);
}

static void
test_what_the_block_has_no_room_for_is_kept_alone(void **state)
{
    (void)state;
    struct text_pool pool = {.capacity = 8};
    struct bytes kept[40];
    char text[16];
    for (size_t i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "text %02zu", i);
        assert_int_equal(text_pool_add(&pool, (struct bytes){text, 7}, &kept[i]), 0);
    }
    for (size_t i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "text %02zu", i);
        assert_true(bytes_equal(kept[i], (struct bytes){text, 7}));
    }
    assert_int_equal(pool.single_count, 39);
    text_pool_clear(&pool);
}

static void
test_an_empty_pool_begins_anew(void **state)
{
    (void)state;
    struct text_pool pool = {.capacity = 4};
    struct bytes first;
    struct bytes again;
    assert_int_equal(text_pool_add(&pool, (struct bytes){"abcd", 4}, &first), 0);
    assert_int_equal(text_pool_add(&pool, (struct bytes){"alone", 5}, &again), 0);
    text_pool_empty(&pool);
    assert_int_equal(text_pool_add(&pool, (struct bytes){"efgh", 4}, &again), 0);
    assert_ptr_equal(first.data, again.data); /* the block is used again */
    text_pool_clear(&pool);
    assert_null(pool.block);
    assert_int_equal(pool.capacity, 4);
    assert_int_equal(text_pool_add(&pool, (struct bytes){"ijkl", 4}, &again), 0);
    assert_memory_equal(again.data, "ijkl", 4);
    text_pool_clear(&pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_lie_one_behind_the_other),
        cmocka_unit_test(test_what_the_block_has_no_room_for_is_kept_alone),
        cmocka_unit_test(test_an_empty_pool_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
