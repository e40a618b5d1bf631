/* latency_test.c -- percentiles of the histogram against those of the sorted values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "commands/send/latency.h"

#define VALUES_MAX 20000

static const uint32_t asked[] = {0, 1, 1000, 5000, 9000, 9900, 9990, 9999, 10000};

static int
compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static uint64_t
sorted_percentile(const uint64_t *sorted, size_t count, uint32_t per_ten_thousand)
{
    size_t rank = (count * per_ten_thousand + 9999) / 10000;
    return sorted[rank == 0 ? 0 : rank - 1];
}

/* The histogram may be wrong by half a bucket: 1/256 of the value. */
static void
assert_agrees(uint64_t *values, size_t count)
{
    struct latency *latency = calloc(1, sizeof(*latency));
    assert_non_null(latency);
    for (size_t i = 0; i < count; i++)
        latency_add(latency, values[i]);
    qsort(values, count, sizeof(values[0]), compare);

    assert_int_equal(latency->count, count);
    assert_int_equal(latency->min_ns, values[0]);
    assert_int_equal(latency->max_ns, values[count - 1]);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        uint64_t exact = sorted_percentile(values, count, asked[i]);
        uint64_t told = latency_percentile(latency, asked[i]);
        uint64_t difference = told > exact ? told - exact : exact - told;
        assert_true(difference <= exact / 256);
    }
    free(latency);
}

/* xorshift64: the same values in each run. */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void
test_nothing_added(void **state)
{
    (void)state;
    static const struct latency latency;
    assert_int_equal(latency_percentile(&latency, 5000), 0);
}

static void
test_one_value_is_every_percentile(void **state)
{
    (void)state;
    uint64_t value = 1234567;
    assert_agrees(&value, 1);
}

static void
test_small_values_are_exact(void **state)
{
    (void)state;
    struct latency *latency = calloc(1, sizeof(*latency));
    assert_non_null(latency);
    for (uint64_t value = 1; value <= 100; value++)
        latency_add(latency, value);
    assert_int_equal(latency_percentile(latency, 5000), 50);
    assert_int_equal(latency_percentile(latency, 9900), 99);
    assert_int_equal(latency_percentile(latency, 9990), 100);
    free(latency);
}

static void
test_values_of_every_size(void **state)
{
    (void)state;
    static uint64_t values[VALUES_MAX];
    uint64_t random = 42;
    for (size_t i = 0; i < VALUES_MAX; i++) {
        uint64_t value = next_random(&random);
        values[i] = value >> (next_random(&random) % 64);
    }
    assert_agrees(values, VALUES_MAX);
}

static void
test_values_of_one_size(void **state)
{
    (void)state;
    static uint64_t values[VALUES_MAX];
    uint64_t random = 7;
    for (size_t i = 0; i < VALUES_MAX; i++)
        values[i] = 40000 + next_random(&random) % 100000;
    assert_agrees(values, VALUES_MAX);
}

static void
test_bucket_borders(void **state)
{
    (void)state;
    uint64_t values[200];
    size_t count = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        values[count++] = UINT64_C(1) << bit;
        values[count++] = (UINT64_C(1) << bit) - 1;
    }
    values[count++] = UINT64_MAX;
    assert_agrees(values, count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_added),
        cmocka_unit_test(test_one_value_is_every_percentile),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_values_of_every_size),
        cmocka_unit_test(test_values_of_one_size),
        cmocka_unit_test(test_bucket_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
