/* batch_guess_test.c -- a batch that an earlier release left unfinished, with a ledger of
 * version 1 that does not say which records it has, stands once when the present one has
 * started. */
#include "tests/unit/collector/output/recovery_fixture.h"
#include "tests/unit/failing_calls.h"

#include <xxhash.h>

static const char *const texts[] = {"first\n", "second\n", "third\n"};
static const char *const others[] = {"uno\n", "due\n"};

/* Leaves a ledger as version 1 was written: positions are an id and an offset. */
static void
leave_version_1(const struct merge_fixture *f, const char *name, struct ledger_mark mark,
                const struct ledger_position *positions, uint32_t count)
{
    char file_name[LEDGER_NAME_BYTES_MAX];
    unsigned char record[256] = "mygrpcld";
    size_t name_bytes = strlen(name);
    size_t at = 64 + (name_bytes + 7) / 8 * 8;
    size_t size = at + count * (size_t)24 + 8;
    assert_true(size <= sizeof(record));
    le32_put(record + 8, 1);
    le32_put(record + 12, (uint32_t)size);
    le64_put(record + 16, 4);
    le64_put(record + 24, mark.device);
    le64_put(record + 32, mark.inode);
    le64_put(record + 40, mark.offset);
    le64_put(record + 48, mark.length);
    le16_put(record + 56, SEGMENT_FILE);
    le16_put(record + 58, (uint16_t)name_bytes);
    le32_put(record + 60, count);
    memcpy(record + 64, name, name_bytes);
    for (uint32_t i = 0; i < count; i++, at += 24) {
        memcpy(record + at, &positions[i].id, 16);
        le64_put(record + at + 16, positions[i].before);
    }
    le64_put(record + at, XXH3_64bits(record, at));
    ledger_name_format(file_name, SEGMENT_FILE, (struct bytes){name, name_bytes});
    scratch_put(&f->segments, file_name, record, size);
}

/* Expects the text once. */
static void
expect_once(const char *data, const char *text)
{
    const char *found = strstr(data, text);
    assert_non_null(found);
    assert_null(strstr(found + 1, text));
}

/* Expects what stood there to stand there still, and each record once. */
static void
expect_all_once(const struct merge_fixture *f, const char *found)
{
    char *data = scratch_get(&f->root, "out", NULL);
    assert_non_null(data);
    assert_true(strncmp(data, found, strlen(found)) == 0);
    for (size_t i = 0; i < 3; i++)
        expect_once(data, texts[i]);
    for (size_t i = 0; i < 2; i++)
        expect_once(data, others[i]);
    free(data);
    assert_int_equal(count_entries(f), 0);
}

static void
merge_later(struct merge_fixture *f)
{
    f->now_ms += 2000;
    merge_all(f);
}

/* Two segments, of which "first" has been delivered, and a batch of the rest, the second one
 * first. */
static void
leave_batch(struct merge_fixture *f, const char *found)
{
    put_segment(f, 0, "out", 3, texts);
    put_segment(f, 1, "out", 2, others);
    scratch_put(&f->root, "out", found, strlen(found));
    const struct ledger_position consumed = run_of(f, 0, 1, 1);
    leave_version_1(f, "out", mark_of(f, "out", 6, 21), &consumed, 1);
}

static void
test_a_batch_of_two_segments_is_found_by_what_stands_of_it(void **state)
{
    struct merge_fixture *f = *state;
    static const char batch[] = "uno\ndue\nsecond\nthird\n";
    for (size_t part = 0; part <= strlen(batch); part++) {
        char found[64];
        (void)snprintf(found, sizeof(found), "first\n%.*s", (int)part, batch);
        leave_batch(f, found);
        start(f);
        merge_all(f);
        expect_all_once(f, found);
        start(f);
        merge_all(f);
        expect_all_once(f, found);
        forget_segments(f);
    }
}

static void
test_a_batch_in_the_order_of_the_segments_is_found_as_well(void **state)
{
    struct merge_fixture *f = *state;
    leave_batch(f, "first\nsecond\nthird\nun");
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "first\nsecond\nthird\nuno\ndue\n");
    assert_int_equal(count_entries(f), 0);
}

static void
test_a_torn_record_with_a_stranger_behind_comes_again_whole(void **state)
{
    struct merge_fixture *f = *state;
    leave_batch(f, "first\nuno\nduS\n");
    start(f);
    merge_all(f);
    expect_all_once(f, "first\nuno\nduS\n");
}

/* The file was cut back by the earlier release itself: nothing stands, and all of it comes once. */
static void
test_a_batch_of_which_nothing_stands_comes_as_if_it_were_new(void **state)
{
    struct merge_fixture *f = *state;
    leave_batch(f, "first\n");
    start(f);
    merge_all(f);
    expect_all_once(f, "first\n");
}

/* A segment that cannot be opened for a while may be the one whose records stand there. */
static void
test_a_segment_that_cannot_be_opened_keeps_the_guess_waiting(void **state)
{
    struct merge_fixture *f = *state;
    for (uint32_t slot = 0; slot < 2; slot++) {
        char name[SEGMENT_NAME_BYTES_MAX];
        leave_batch(f, "first\nuno\ndue\nsec");
        segment_name(name, slot);
        failing = (struct failing_call){"openat", name, EACCES, 0, FAILING_ALWAYS, 0};
        start(f);
        for (int pass = 0; pass < 20; pass++)
            merge_later(f);
        assert_true(failing.failed > 0);
        scratch_expect(&f->root, "out", "first\nuno\ndue\nsec");
        failing = (struct failing_call){.call = NULL};
        merge_later(f);
        merge_later(f);
        expect_all_once(f, "first\nuno\ndue\nsec");
        forget_segments(f);
    }
}

static void
test_an_output_that_cannot_be_read_keeps_the_guess_waiting(void **state)
{
    struct merge_fixture *f = *state;
    leave_batch(f, "first\nuno\ndue\nsec");
    failing = (struct failing_call){"pread", "/out", EIO, 0, FAILING_ALWAYS, 0};
    start(f);
    for (int pass = 0; pass < 10; pass++)
        merge_later(f);
    assert_true(failing.failed > 0);
    scratch_expect(&f->root, "out", "first\nuno\ndue\nsec");
    failing = (struct failing_call){.call = NULL};
    merge_later(f);
    merge_later(f);
    expect_all_once(f, "first\nuno\ndue\nsec");
}

static void
test_a_settled_ledger_of_version_1_repeats_and_skips_nothing(void **state)
{
    struct merge_fixture *f = *state;
    put_segment(f, 0, "out", 3, texts);
    put_segment(f, 1, "out", 2, others);
    scratch_put(&f->root, "out", "first\nuno\ndue\nsecond\n", 21);
    const struct ledger_position consumed[] = {run_of(f, 0, 2, 2), run_of(f, 1, 2, 2)};
    leave_version_1(f, "out", mark_of(f, "out", 21, 0), consumed, 2);
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "first\nuno\ndue\nsecond\nthird\n");
    assert_int_equal(count_entries(f), 0);
}

static int
guess_teardown(void **state)
{
    failing = (struct failing_call){.call = NULL};
    return merge_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_setup, guess_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch_of_two_segments_is_found_by_what_stands_of_it),
        TEST(test_a_batch_in_the_order_of_the_segments_is_found_as_well),
        TEST(test_a_torn_record_with_a_stranger_behind_comes_again_whole),
        TEST(test_a_batch_of_which_nothing_stands_comes_as_if_it_were_new),
        TEST(test_a_segment_that_cannot_be_opened_keeps_the_guess_waiting),
        TEST(test_an_output_that_cannot_be_read_keeps_the_guess_waiting),
        TEST(test_a_settled_ledger_of_version_1_repeats_and_skips_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
