/* batch_test.c -- records keep their order on the way to an output, and what is given back is where
 * its source finds it again. */
#include "tests/unit/scratch.h"

#include "collector/output/batch.h"

#define RECORD_BYTES 8U

/* A source of which records up to `number` have been read; record `i` stands at offset (i + 1) *
 * 8. */
static struct source
source_read_to(size_t index, uint64_t number)
{
    return (struct source){.index = index, .position = {(number + 1) * RECORD_BYTES, number}};
}

static void
add(struct batch *batch, struct source *source, uint64_t number, const char *text)
{
    const struct batch_origin origin = {
        source, {(number + 1) * RECORD_BYTES, number}, (number + 2) * RECORD_BYTES, number};
    assert_int_equal(batch_add(batch, &origin, (struct bytes){text, strlen(text)}), 0);
}

static void
expect(const struct batch *batch, size_t i, const char *text)
{
    assert_true(i < batch->count);
    assert_int_equal(batch->payloads[i].iov_len, strlen(text));
    assert_memory_equal(batch->payloads[i].iov_base, text, strlen(text));
}

static void
test_records_keep_their_order_however_many(void **state)
{
    (void)state;
    static char texts[3000][8];
    struct source source = source_read_to(0, 3000);
    struct batch batch = {0};
    for (size_t i = 0; i < 3000; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%zu", i);
        add(&batch, &source, i, texts[i]);
    }
    assert_int_equal(batch.count, 3000);
    for (size_t i = 0; i < 3000; i++) {
        expect(&batch, i, texts[i]);
        assert_int_equal(batch.origins[i].at.sequence, i);
    }
    assert_int_equal(batch_bytes(&batch), 10 + 90 * 2 + 900 * 3 + 2000 * 4);
    batch_empty(&batch);
    batch_trim(&batch);
    assert_null(batch.origins); /* a large one is not kept */
    batch_clear(&batch);
}

static void
test_the_first_ones_are_dropped_and_the_others_keep_their_order(void **state)
{
    (void)state;
    struct source one = source_read_to(1, 2);
    struct source two = source_read_to(2, 2);
    struct batch batch = {0};
    add(&batch, &one, 0, "one 0");
    add(&batch, &one, 1, "one 1");
    add(&batch, &two, 0, "two 0");
    batch_drop_first(&batch, 0);
    assert_int_equal(batch.count, 3);
    batch_drop_first(&batch, 1);
    assert_int_equal(batch.count, 2);
    expect(&batch, 0, "one 1");
    expect(&batch, 1, "two 0");
    assert_ptr_equal(batch.origins[0].source, &one);
    assert_ptr_equal(batch.origins[1].source, &two);
    assert_int_equal(batch_bytes(&batch), 10);
    batch_drop_first(&batch, 2);
    assert_int_equal(batch.count, 0);
    batch_clear(&batch);
}

static void
test_an_emptied_batch_keeps_its_memory(void **state)
{
    (void)state;
    struct source source = source_read_to(1, 2);
    struct batch batch = {0};
    add(&batch, &source, 0, "delivered");
    batch_empty(&batch);
    assert_int_equal(batch.count, 0);
    batch_trim(&batch);
    assert_non_null(batch.origins); /* a small one is kept */
    batch_clear(&batch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_keep_their_order_however_many),
        cmocka_unit_test(test_the_first_ones_are_dropped_and_the_others_keep_their_order),
        cmocka_unit_test(test_an_emptied_batch_keeps_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
