/* output_recovery_test.c -- what a collector that died in a batch has left in an output is taken
 * back once, from the file where it is now, and comes again by itself. */
#include "tests/unit/collector/merge_fixture.h"

/* Leaves the ledger of a collector that died in a batch: the output of that name leads to the file,
 * which had `offset` bytes before, and `length` were to come. */
static void
leave_intent(const struct merge_fixture *f, const char *name, const char *file, uint64_t offset,
             uint64_t length)
{
    struct stat status;
    struct ledger *ledger = NULL;
    bool created = false;
    assert_int_equal(fstatat(f->root.fd, file, &status, 0), 0);
    const struct ledger_mark mark = {status.st_dev, status.st_ino, offset, length};
    assert_int_equal(ledger_open(&ledger, f->segments.fd, SEGMENT_FILE,
                                 (struct bytes){name, strlen(name)}, false, &created),
                     0);
    assert_true(created);
    assert_int_equal(ledger_write(ledger, &mark, NULL, 0), 0);
    ledger_close(&ledger);
}

/* What a collector killed within a batch leaves: an intent in the ledger, and any part of the batch
 * in the file. */
static void
test_an_unfinished_batch_is_cut_off_and_written_again(void **state)
{
    struct merge_fixture *f = *state;
    static const char batch[] = "first\nsecond\n";
    for (size_t part = 0; part <= strlen(batch); part++) {
        struct segment_writer *writer = begin(f, 0, part, 0);
        append(writer, "out", "first\n");
        append(writer, "out", "second\n");
        char content[64];
        int kept = snprintf(content, sizeof(content), "before\n%.*s", (int)part, batch);
        scratch_put(&f->root, "out", content, (size_t)kept);

        leave_intent(f, "out", "out", strlen("before\n"), strlen(batch));

        start(f);
        merge_all(f);
        scratch_expect(&f->root, "out", "before\nfirst\nsecond\n");
        segment_writer_seal(&writer);
        merge_all(f);
        merge_release_idle(f->merge);
    }
}

/* Two names of one file, and a batch of the one unfinished: nothing is written to the other before
 * it is taken back. */
static void
test_an_unfinished_batch_is_taken_back_before_another_name_is_written_to(void **state)
{
    struct merge_fixture *f = *state;
    scratch_put(&f->root, "file", "before\nfir", 10);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    struct segment_writer *other = begin(f, 0, 0, 0);
    append(other, "file", "other\n");
    segment_writer_seal(&other);
    struct segment_writer *writer = begin(f, 1, 0, 0);
    append(writer, "link", "first\n");
    segment_writer_seal(&writer);
    leave_intent(f, "link", "file", 7, 6);
    start(f);
    merge_all(f);
    char *data = scratch_get(&f->root, "file", NULL);
    assert_true(strcmp(data, "before\nother\nfirst\n") == 0 ||
                strcmp(data, "before\nfirst\nother\n") == 0);
    free(data);
    assert_int_equal(count_entries(f), 0);
}

/* The file was renamed between the death and the start, and perhaps another one put in its place,
 * as logrotate does: the batch is cut off where it is, and written to the new file. */
static void
test_an_unfinished_batch_is_found_in_a_renamed_file(void **state)
{
    struct merge_fixture *f = *state;
    assert_int_equal(mkdirat(f->root.fd, "logs", 0700), 0);
    for (int replaced = 0; replaced < 2; replaced++) {
        scratch_put(&f->root, "logs/out", "before\nfir", 10);
        leave_intent(f, "logs/out", "logs/out", 7, 6);
        assert_int_equal(renameat(f->root.fd, "logs/out", f->root.fd, "logs/out.1"), 0);
        if (replaced)
            scratch_put(&f->root, "logs/out", "new\n", 4);
        struct segment_writer *writer = begin(f, 0, (uint64_t)replaced, 0);
        append(writer, "logs/out", "first\n");
        segment_writer_seal(&writer);
        start(f);
        merge_all(f);
        merge_release_idle(f->merge);
        scratch_expect(&f->root, "logs/out.1", "before\n");
        scratch_expect(&f->root, "logs/out", replaced ? "new\nfirst\n" : "first\n");
        assert_int_equal(unlinkat(f->root.fd, "logs/out", 0), 0);
    }
}

/* The same file, and a collector that is killed after the batch was taken back and before its
 * ledger is written again: what the other name has got by then is not taken for the batch. */
static void
test_a_batch_is_taken_back_once(void **state)
{
    struct merge_fixture *f = *state;
    scratch_put(&f->root, "file", "before\nfir", 10);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    leave_intent(f, "link", "file", 7, 6);

    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "file", "other\n");
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "file", "before\nother\n");
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "file", "before\nother\n");
    segment_writer_seal(&writer);
}

static void
test_a_damaged_ledger_is_set_aside(void **state)
{
    struct merge_fixture *f = *state;
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, SEGMENT_FILE, (struct bytes){"out", 3});
    scratch_put(&f->segments, name, "nonsense", 8);
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "out", "x");
    segment_writer_seal(&writer);
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "x");
    char aside[64 + LEDGER_NAME_BYTES_MAX];
    (void)snprintf(aside, sizeof(aside), "quarantine/%s", name);
    assert_true(scratch_has(&f->segments, aside));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_setup, merge_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_unfinished_batch_is_cut_off_and_written_again),
        TEST(test_an_unfinished_batch_is_taken_back_before_another_name_is_written_to),
        TEST(test_an_unfinished_batch_is_found_in_a_renamed_file),
        TEST(test_a_batch_is_taken_back_once),
        TEST(test_a_damaged_ledger_is_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
