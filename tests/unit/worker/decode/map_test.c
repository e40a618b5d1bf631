/* map_test.c -- entries come out in the order of their keys, the last of equal ones only,
 * whatever map was there before. */
#include "tests/unit/scratch.h"

#include "worker/decode/map.h"

#define COUNT_MAX 20000U

static int
setup(void **state)
{
    struct map *map = NULL;
    if (map_open(&map, COUNT_MAX) != 0)
        return -1;
    *state = map;
    return 0;
}

static int
teardown(void **state)
{
    struct map *map = *state;
    map_close(&map);
    assert_null(map);
    map_close(&map);
    return 0;
}

static void
add(struct map *map, const char *key, size_t size, int64_t number)
{
    struct map_entry *entry = map_place(map);
    entry->key = (struct bytes){key, size};
    entry->value = (struct value){.kind = VALUE_INT64, .integer = number};
    map_add(map);
}

static void
add_all(struct map *map, const char *const *keys, size_t count)
{
    map_clear(map);
    for (size_t i = 0; i < count; i++)
        add(map, keys[i], strlen(keys[i]), (int64_t)i);
}

static void
expect_at(const struct map *map, size_t index, const char *key, int64_t number)
{
    const struct map_entry *entry = map_at(map, index);
    assert_int_equal(entry->key.size, strlen(key));
    assert_memory_equal(entry->key.data, key, strlen(key));
    assert_int_equal(entry->value.integer, number);
}

static void
test_keys_are_ordered_bytewise_the_shorter_first(void **state)
{
    struct map *map = *state;
    static const char *const keys[] = {"b",    "abcdefghi", "",  "abcdefgh",
                                       "\xff", "abcdefghj", "a", "ab"};
    add_all(map, keys, 8);
    assert_int_equal(map_sort(map), 8);
    static const char *const sorted[] = {"",          "a",         "ab", "abcdefgh",
                                         "abcdefghi", "abcdefghj", "b",  "\xff"};
    static const int64_t numbers[] = {2, 6, 7, 3, 1, 5, 0, 4};
    for (size_t i = 0; i < 8; i++)
        expect_at(map, i, sorted[i], numbers[i]);
}

static void
test_nul_bytes_count(void **state)
{
    struct map *map = *state;
    map_clear(map);
    add(map, "a\0\0", 3, 0);
    add(map, "a", 1, 1);
    add(map, "a\0", 2, 2);
    assert_int_equal(map_sort(map), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(map_at(map, i)->key.size, i + 1);
}

static void
test_of_equal_keys_the_last_counts(void **state)
{
    struct map *map = *state;
    static const char *const keys[] = {"b", "a", "b", "a", "b", "c"};
    for (int again = 0; again < 3; again++) {
        add_all(map, keys, 6);
        assert_int_equal(map_sort(map), 3);
        expect_at(map, 0, "a", 3);
        expect_at(map, 1, "b", 4);
        expect_at(map, 2, "c", 5);
    }
}

/* The order of a map is tried on the next: it must not be taken for one that it is not. */
static void
test_the_last_order_is_used_only_where_it_holds(void **state)
{
    struct map *map = *state;
    static const char *const like[] = {"zone", "host", "path"};
    static const char *const other[] = {"path", "zone", "host"};
    static const char *const long_keys[] = {"same-begin-2", "same-begin-1", "same-begin-3"};
    static const char *const twice[] = {"host", "host", "path"};
    for (int again = 0; again < 3; again++) {
        add_all(map, like, 3);
        assert_int_equal(map_sort(map), 3);
        expect_at(map, 0, "host", 1);
        expect_at(map, 1, "path", 2);
        expect_at(map, 2, "zone", 0);
        if (again == 1)
            continue;
        add_all(map, other, 3);
        assert_int_equal(map_sort(map), 3);
        expect_at(map, 0, "host", 2);
        expect_at(map, 2, "zone", 1);
        add_all(map, long_keys, 3);
        assert_int_equal(map_sort(map), 3);
        expect_at(map, 0, "same-begin-1", 1);
        expect_at(map, 2, "same-begin-3", 2);
        add_all(map, twice, 3);
        assert_int_equal(map_sort(map), 2);
        expect_at(map, 0, "host", 1);
    }
}

struct reference {
    char key[8];
    int64_t number;
};

static int
compare(const void *a, const void *b)
{
    const struct reference *left = a;
    const struct reference *right = b;
    int order = strcmp(left->key, right->key);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

/* Of `count` random keys, out of `different` ones. */
static void
check_random(struct map *map, size_t count, uint32_t different, uint32_t seed)
{
    static struct reference items[COUNT_MAX];
    map_clear(map);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        (void)snprintf(items[i].key, sizeof(items[i].key), "%x", (seed >> 8) % different);
        items[i].number = (int64_t)i;
    }
    static struct reference sorted[COUNT_MAX];
    memcpy(sorted, items, count * sizeof(*items));
    qsort(sorted, count, sizeof(*sorted), compare);
    for (size_t i = 0; i < count; i++)
        add(map, items[i].key, strlen(items[i].key), items[i].number);
    size_t left = map_sort(map);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && strcmp(sorted[i].key, sorted[i + 1].key) == 0)
            continue;
        assert_true(at < left);
        expect_at(map, at++, sorted[i].key, sorted[i].number);
    }
    assert_int_equal(at, left);
}

static void
test_it_sorts_as_a_stable_sort_does(void **state)
{
    struct map *map = *state;
    for (uint32_t seed = 0; seed < 300; seed++)
        check_random(map, seed % 70, 1 + seed % 97, seed);
    check_random(map, COUNT_MAX, 500, 1);
    check_random(map, COUNT_MAX, 1U << 24, 2);
}

static void
test_a_large_map_is_given_back_and_the_next_is_right(void **state)
{
    struct map *map = *state;
    for (int again = 0; again < 3; again++) {
        check_random(map, COUNT_MAX, 1U << 24, 3);
        map_trim(map);
        assert_int_equal(map->touched, 0);
        check_random(map, 40, 1000, 4);
        map_trim(map);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_are_ordered_bytewise_the_shorter_first),
        TEST(test_nul_bytes_count),
        TEST(test_of_equal_keys_the_last_counts),
        TEST(test_the_last_order_is_used_only_where_it_holds),
        TEST(test_it_sorts_as_a_stable_sort_does),
        TEST(test_a_large_map_is_given_back_and_the_next_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
