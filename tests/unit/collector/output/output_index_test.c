/* output_index_test.c -- each of many outputs is found by its kind and name, and no other is. */
#include "tests/unit/scratch.h"

#include "collector/output/output.h"
#include "collector/output/output_index.h"
#include "common/heritage.h"

#define OUTPUTS 1000U

static const struct heritage heritage = {.settings = NULL};

static struct bytes
name_of(size_t i)
{
    static char name[16];
    int length = snprintf(name, sizeof(name), "out-%zu", i);
    return (struct bytes){name, (size_t)length};
}

static void
make_outputs(struct output *outputs[OUTPUTS])
{
    for (size_t i = 0; i < OUTPUTS; i++)
        assert_int_equal(output_open(&outputs[i], &heritage, SEGMENT_FILE, name_of(i)), 0);
}

static void
test_each_is_found_and_no_other(void **state)
{
    (void)state;
    static struct output *outputs[OUTPUTS];
    struct output_index index = {0};
    make_outputs(outputs);
    assert_null(output_index_find(&index, SEGMENT_FILE, name_of(0)));
    for (size_t i = 0; i < OUTPUTS; i++) {
        assert_null(output_index_find(&index, SEGMENT_FILE, name_of(i)));
        assert_int_equal(output_index_add(&index, outputs[i]), 0);
    }
    for (size_t i = 0; i < OUTPUTS; i++) {
        assert_ptr_equal(output_index_find(&index, SEGMENT_FILE, name_of(i)), outputs[i]);
        assert_null(output_index_find(&index, SEGMENT_STANDARD_OUTPUT, name_of(i)));
    }
    assert_null(output_index_find(&index, SEGMENT_FILE, name_of(OUTPUTS)));
    assert_null(output_index_find(&index, SEGMENT_FILE, (struct bytes){NULL, 0}));

    output_index_empty(&index); /* the last one found is forgotten with the others */
    assert_null(output_index_find(&index, SEGMENT_FILE, name_of(OUTPUTS - 1)));
    for (size_t i = 0; i < OUTPUTS; i += 2)
        assert_int_equal(output_index_add(&index, outputs[i]), 0);
    for (size_t i = 0; i < OUTPUTS; i++)
        assert_ptr_equal(output_index_find(&index, SEGMENT_FILE, name_of(i)),
                         i % 2 == 0 ? outputs[i] : NULL);
    output_index_clear(&index);
    for (size_t i = 0; i < OUTPUTS; i++)
        output_close(&outputs[i], false);
}

static void
test_the_kind_counts(void **state)
{
    (void)state;
    struct output_index index = {0};
    struct output *file = NULL;
    struct output *stream = NULL;
    const struct bytes name = {"same", 4};
    assert_int_equal(output_open(&file, &heritage, SEGMENT_FILE, name), 0);
    assert_int_equal(output_open(&stream, &heritage, SEGMENT_STANDARD_OUTPUT, name), 0);
    assert_int_equal(output_index_add(&index, file), 0);
    assert_int_equal(output_index_add(&index, stream), 0);
    assert_ptr_equal(output_index_find(&index, SEGMENT_FILE, name), file);
    assert_ptr_equal(output_index_find(&index, SEGMENT_STANDARD_OUTPUT, name), stream);
    output_index_clear(&index);
    output_close(&file, false);
    output_close(&stream, false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found_and_no_other),
        cmocka_unit_test(test_the_kind_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
