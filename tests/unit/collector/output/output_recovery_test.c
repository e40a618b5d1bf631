/* output_recovery_test.c -- a batch that a collector has left unfinished is completed: what
 * stands of it stays, what is missing is written, nothing of others is touched, and what cannot
 * be done now waits. */
#include "tests/unit/collector/output/recovery_fixture.h"
#include "tests/unit/failing_calls.h"

#include <sys/wait.h>

static const char *const texts[] = {"first\n", "second\n", "third\n"};

/* Passes, some seconds later. */
static void
merge_later(struct merge_fixture *f)
{
    f->now_ms += 2000;
    merge_all(f);
}

/* What a collector killed within a batch leaves: an intent, and any part of the batch. */
static void
test_an_unfinished_batch_is_completed_wherever_it_was_cut(void **state)
{
    struct merge_fixture *f = *state;
    static const char batch[] = "first\nsecond\n";
    for (size_t part = 0; part <= strlen(batch); part++) {
        char content[64];
        int kept = snprintf(content, sizeof(content), "before\n%.*s", (int)part, batch);
        put_segment(f, 0, "out", 3, texts);
        scratch_put(&f->root, "out", content, (size_t)kept);
        leave_intent(f, "out", "out", 7, strlen(batch), run_of(f, 0, 0, 2));
        start(f);
        merge_all(f);
        scratch_expect(&f->root, "out", "before\nfirst\nsecond\nthird\n");
        assert_int_equal(count_entries(f), 0);
        start(f);
        merge_all(f);
        scratch_expect(&f->root, "out", "before\nfirst\nsecond\nthird\n");
        forget_segments(f);
    }
}

/* The batch is what the ledger says, in its order: of two segments, the second one first. */
static void
test_a_batch_of_two_segments_is_completed_in_its_order(void **state)
{
    struct merge_fixture *f = *state;
    static const char *const others[] = {"uno\n", "due\n"};
    static const char batch[] = "uno\ndue\nsecond\nthird\n";
    for (size_t part = 0; part <= strlen(batch); part++) {
        char content[64];
        int kept = snprintf(content, sizeof(content), "first\n%.*s", (int)part, batch);
        put_segment(f, 0, "out", 3, texts);
        put_segment(f, 1, "out", 2, others);
        scratch_put(&f->root, "out", content, (size_t)kept);
        const struct ledger_position runs[] = {run_of(f, 1, 0, 2), run_of(f, 0, 1, 3)};
        leave_ledger(f, "out", mark_of(f, "out", 6, strlen(batch)), runs, 2);
        start(f);
        merge_all(f);
        scratch_expect(&f->root, "out", "first\nuno\ndue\nsecond\nthird\n");
        assert_int_equal(count_entries(f), 0);
        forget_segments(f);
    }
}

/* Its records were settled by a collector that removed it. The other run is completed. */
static void
test_a_segment_of_the_batch_that_is_gone_was_delivered(void **state)
{
    struct merge_fixture *f = *state;
    char name[SEGMENT_NAME_BYTES_MAX];
    static const char *const others[] = {"uno\n", "due\n"};
    put_segment(f, 0, "out", 3, texts);
    put_segment(f, 1, "out", 2, others);
    const struct ledger_position runs[] = {run_of(f, 0, 0, 3), run_of(f, 1, 0, 2)};
    scratch_put(&f->root, "out", "first\nsecond\nthird\nun", 21);
    leave_ledger(f, "out", mark_of(f, "out", 0, 27), runs, 2);
    segment_name(name, 0);
    assert_int_equal(unlinkat(f->segments.fd, name, 0), 0);
    start(f);
    merge_all(f);
    merge_later(f);
    char *data = scratch_get(&f->root, "out", NULL);
    assert_non_null(data);
    assert_true(strncmp(data, "first\nsecond\nthird\nun", 21) == 0); /* nothing is cut off */
    assert_non_null(strstr(data, "uno\ndue\n"));
    free(data);
    assert_int_equal(count_entries(f), 0);
}

/* A segment of the batch is there and cannot be opened for a while: nothing is written to its
 * output before it can, and nothing else waits. */
static void
test_a_batch_waits_for_a_segment_that_cannot_be_opened(void **state)
{
    static const int errors[] = {EIO, EACCES, EPERM, ENOSPC};
    struct merge_fixture *f = *state;
    char name[SEGMENT_NAME_BYTES_MAX];
    static const char *const others[] = {"uno\n", "due\n"};
    static const char *const free_texts[] = {"free\n"};
    segment_name(name, 0);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        put_segment(f, 0, "out", 3, texts);
        put_segment(f, 1, "out", 2, others);
        put_segment(f, 2, "free", 1, free_texts);
        scratch_put(&f->root, "free", "", 0);
        scratch_put(&f->root, "out", "first\nse", 8);
        leave_intent(f, "out", "out", 0, 13, run_of(f, 0, 0, 2));
        failing = (struct failing_call){"openat", name, errors[i], 0, FAILING_ALWAYS, 0};
        start(f);
        for (int pass = 0; pass < 20; pass++)
            merge_later(f);
        assert_true(failing.failed > 0);
        scratch_expect(&f->root, "out", "first\nse");
        scratch_expect(&f->root, "free", "free\n");
        assert_int_equal(count_entries(f), 2);
        failing = (struct failing_call){.call = NULL};
        merge_later(f);
        merge_later(f);
        char *data = scratch_get(&f->root, "out", NULL);
        assert_true(strcmp(data, "first\nsecond\nthird\nuno\ndue\n") == 0 ||
                    strcmp(data, "first\nsecond\nuno\ndue\nthird\n") == 0);
        free(data);
        assert_int_equal(count_entries(f), 0);
        forget_segments(f);
    }
}

/* The segment is listed and then cannot be read again, as with an error of the medium: no
 * damage. */
static void
test_a_batch_waits_for_a_segment_that_cannot_be_read(void **state)
{
    struct merge_fixture *f = *state;
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name(name, 0);
    put_segment(f, 0, "out", 3, texts);
    scratch_put(&f->root, "out", "first\nse", 8);
    leave_intent(f, "out", "out", 0, 13, run_of(f, 0, 0, 2));
    start(f);
    /* The header can be read; what comes behind it cannot. */
    failing = (struct failing_call){"pread", name, EIO, 1, FAILING_ALWAYS, 0};
    for (int pass = 0; pass < 20; pass++)
        merge_later(f);
    assert_true(failing.failed > 0);
    failing = (struct failing_call){.call = NULL};
    scratch_expect(&f->root, "out", "first\nse");
    assert_false(scratch_has(&f->segments, "quarantine"));
    merge_later(f);
    merge_later(f);
    scratch_expect(&f->root, "out", "first\nsecond\nthird\n");
    assert_int_equal(count_entries(f), 0);
}

/* A loss of power has taken records that the ledger tells of: what is there of the batch stands. */
static void
test_records_that_the_power_has_taken_hold_up_nothing(void **state)
{
    struct merge_fixture *f = *state;
    put_segment(f, 0, "out", 3, texts);
    struct ledger_position run = run_of(f, 0, 0, 3);
    run.after += 4096;
    scratch_put(&f->root, "out", "fir", 3);
    leave_intent(f, "out", "out", 0, 100, run);
    start(f);
    merge_all(f);
    merge_later(f);
    scratch_expect(&f->root, "out", "first\nsecond\nthird\n");
    assert_int_equal(count_entries(f), 0);
}

/* Two names of one file, and a batch of the one unfinished: nothing is written to the other
 * before it is completed. */
static void
test_an_unfinished_batch_is_completed_before_another_name_is_written_to(void **state)
{
    struct merge_fixture *f = *state;
    static const char *const others[] = {"other\n"};
    scratch_put(&f->root, "file", "before\nfir", 10);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    put_segment(f, 0, "file", 1, others);
    put_segment(f, 1, "link", 1, texts);
    leave_intent(f, "link", "file", 7, 6, run_of(f, 1, 0, 1));
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "file", "before\nfirst\nother\n");
    assert_int_equal(count_entries(f), 0);
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "file", "before\nfirst\nother\n");
}

/* The completion fails: the other name of the file must not be delivered in the same pass, or the
 * record would be torn. */
static void
test_another_name_waits_while_the_batch_cannot_be_completed(void **state)
{
    struct merge_fixture *f = *state;
    static const char *const others[] = {"other\n"};
    scratch_put(&f->root, "file", "before\nfir", 10);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    put_segment(f, 0, "file", 1, others);
    put_segment(f, 1, "link", 1, texts);
    leave_intent(f, "link", "file", 7, 6, run_of(f, 1, 0, 1));
    start(f);
    failing = (struct failing_call){"writev", "/file", ENOSPC, 0, 1, 0};
    merge_all(f);
    assert_int_equal(failing.failed, 1);
    scratch_expect(&f->root, "file", "before\nfir");
    failing = (struct failing_call){.call = NULL};
    merge_later(f);
    merge_later(f);
    scratch_expect(&f->root, "file", "before\nfirst\nother\n");
    assert_int_equal(count_entries(f), 0);
}

/* Merges in a process of its own, which dies without ending anything. */
static void
merge_and_die(struct merge_fixture *f)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct merge *merge = NULL;
        if (merge_open(&merge, &f->heritage, NULL) != 0)
            _exit(1);
        while (merge_pass(merge, f->now_ms) > 0)
            f->now_ms += 10;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The ledger cannot be settled: the disk says that a batch is under way, and so does the memory.
 * Another name of the file waits for it, in this process and in the next one. */
static void
expect_waiting_for_settlement(struct merge_fixture *f, bool dies)
{
    char ledger[LEDGER_NAME_BYTES_MAX];
    static const char *const others[] = {"other\n"};
    scratch_put(&f->root, "file", "before\n", 7);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    struct segment_writer *writer = begin(f, 1, 0, 0);
    append(writer, "link", "first\n");
    segment_writer_seal(&writer);
    /* Two writes make the ledger, each with its copy, and one notes the intent: the seventh
     * settles. */
    ledger_name_format(ledger, SEGMENT_FILE, (struct bytes){"link", 4});
    failing = (struct failing_call){"pwrite", ledger, EIO, 6, FAILING_ALWAYS, 0};
    if (dies) {
        merge_and_die(f);
    } else {
        start(f);
        merge_all(f);
        assert_true(failing.failed > 0);
    }
    scratch_expect(&f->root, "file", "before\nfirst\n");
    put_segment(f, 0, "file", 1, others);
    if (dies) {
        failing.skip = 0;
        start(f);
    }
    merge_later(f);
    scratch_expect(&f->root, "file", "before\nfirst\n"); /* the other one waits */
    failing = (struct failing_call){.call = NULL};
    merge_later(f);
    merge_later(f);
    scratch_expect(&f->root, "file", "before\nfirst\nother\n");
    assert_int_equal(count_entries(f), 0);
}

static void
test_what_could_not_be_settled_stays_unfinished(void **state)
{
    expect_waiting_for_settlement(*state, false);
}

static void
test_what_could_not_be_settled_is_unfinished_after_a_death(void **state)
{
    expect_waiting_for_settlement(*state, true);
}

/* The file was renamed between the death and the start, and perhaps another one put in its
 * place, as logrotate does: the batch is completed where its beginning is. */
static void
test_a_torn_batch_is_completed_in_the_renamed_file(void **state)
{
    struct merge_fixture *f = *state;
    assert_int_equal(mkdirat(f->root.fd, "logs", 0700), 0);
    for (int replaced = 0; replaced < 2; replaced++) {
        put_segment(f, 0, "logs/out", 2, texts);
        scratch_put(&f->root, "logs/out", "before\nfir", 10);
        leave_intent(f, "logs/out", "logs/out", 7, 6, run_of(f, 0, 0, 1));
        assert_int_equal(renameat(f->root.fd, "logs/out", f->root.fd, "logs/out.1"), 0);
        if (replaced)
            scratch_put(&f->root, "logs/out", "new\n", 4);
        start(f);
        merge_all(f);
        scratch_expect(&f->root, "logs/out.1", "before\nfirst\n");
        scratch_expect(&f->root, "logs/out", replaced ? "new\nsecond\n" : "second\n");
        assert_int_equal(unlinkat(f->root.fd, "logs/out", 0), 0);
        forget_segments(f);
    }
}

/* The output is shorter than before the batch, or gone: the batch comes once, at its end. */
static void
test_a_batch_is_begun_anew_where_the_output_was_cut_or_removed(void **state)
{
    struct merge_fixture *f = *state;
    for (int removed = 0; removed < 2; removed++) {
        put_segment(f, 0, "out", 3, texts);
        scratch_put(&f->root, "out", "before\nfirst\nse", 15);
        leave_intent(f, "out", "out", 7, 13, run_of(f, 0, 0, 2));
        if (removed)
            assert_int_equal(unlinkat(f->root.fd, "out", 0), 0);
        else
            scratch_put(&f->root, "out", "bef", 3);
        start(f);
        merge_all(f);
        merge_later(f);
        scratch_expect(&f->root, "out",
                       removed ? "first\nsecond\nthird\n" : "beffirst\nsecond\nthird\n");
        assert_int_equal(count_entries(f), 0);
        forget_segments(f);
    }
}

/* A short write within the same process: it is gone on with, and a stranger's remark stays. */
static void
test_a_short_write_is_gone_on_with_around_a_strangers_bytes(void **state)
{
    struct merge_fixture *f = *state;
    put_segment(f, 0, "out", 3, texts);
    start(f);
    failing = (struct failing_call){"writev", "/out", ENOSPC, 0, 1, 0};
    merge_all(f);
    failing = (struct failing_call){.call = NULL};
    scratch_put(&f->root, "out", "remark\n", 7);
    merge_later(f);
    merge_later(f);
    scratch_expect(&f->root, "out", "remark\nfirst\nsecond\nthird\n");
    assert_int_equal(count_entries(f), 0);
}

static void
test_a_damaged_ledger_is_set_aside(void **state)
{
    struct merge_fixture *f = *state;
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, SEGMENT_FILE, (struct bytes){"out", 3});
    scratch_put(&f->segments, name, "nonsense", 8);
    put_segment(f, 0, "out", 1, texts);
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "first\n");
    char aside[64 + LEDGER_NAME_BYTES_MAX];
    (void)snprintf(aside, sizeof(aside), "quarantine/%s", name);
    assert_true(scratch_has(&f->segments, aside));
}

/* A ledger that cannot be read is no damage, and says what nobody may guess: its output waits. */
static void
test_a_ledger_that_cannot_be_read_keeps_its_output_waiting(void **state)
{
    struct merge_fixture *f = *state;
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, SEGMENT_FILE, (struct bytes){"out", 3});
    put_segment(f, 0, "out", 2, texts);
    scratch_put(&f->root, "out", "first\n", 6);
    leave_intent(f, "out", "out", 0, 6, run_of(f, 0, 0, 1));
    failing = (struct failing_call){"pread", name, EIO, 0, FAILING_ALWAYS, 0};
    start(f);
    for (int pass = 0; pass < 20; pass++)
        merge_later(f);
    failing = (struct failing_call){.call = NULL};
    scratch_expect(&f->root, "out", "first\n");
    assert_true(scratch_has(&f->segments, name));
    assert_false(scratch_has(&f->segments, "quarantine"));
    start(f);
    merge_all(f);
    merge_later(f);
    scratch_expect(&f->root, "out", "first\nsecond\n");
    assert_int_equal(count_entries(f), 0);
}

/* A lack of memory or of descriptors is not of one ledger: the start fails, and comes again. */
static void
test_a_start_without_memory_or_descriptors_fails_and_spoils_nothing(void **state)
{
    static const int errors[] = {ENOMEM, EMFILE, ENFILE};
    struct merge_fixture *f = *state;
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, SEGMENT_FILE, (struct bytes){"out", 3});
    put_segment(f, 0, "out", 2, texts);
    scratch_put(&f->root, "out", "fir", 3);
    leave_intent(f, "out", "out", 0, 6, run_of(f, 0, 0, 1));
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        failing = (struct failing_call){"openat", name, errors[i], 0, FAILING_ALWAYS, 0};
        assert_int_equal(merge_open(&f->merge, &f->heritage, NULL), -errors[i]);
        assert_null(f->merge);
    }
    failing = (struct failing_call){.call = NULL};
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "first\nsecond\n");
}

/* What was read at the start is written again before a segment is removed; as long as that
 * fails, none is. */
static void
test_no_segment_is_removed_before_what_was_read_is_secured(void **state)
{
    struct merge_fixture *f = *state;
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, SEGMENT_FILE, (struct bytes){"out", 3});
    put_segment(f, 0, "out", 1, texts);
    struct ledger_position settled = run_of(f, 0, 0, 1);
    settled.before = settled.after;
    scratch_put(&f->root, "out", "first\n", 6);
    leave_intent(f, "out", "out", 6, 0, settled);
    failing = (struct failing_call){"pwrite", name, EIO, 0, FAILING_ALWAYS, 0};
    start(f);
    for (int pass = 0; pass < 10; pass++)
        merge_later(f);
    assert_true(failing.failed > 0);
    assert_int_equal(count_entries(f), 1);
    failing = (struct failing_call){.call = NULL};
    merge_later(f);
    merge_later(f);
    assert_int_equal(count_entries(f), 0);
    scratch_expect(&f->root, "out", "first\n");
}

static int
recovery_teardown(void **state)
{
    failing = (struct failing_call){.call = NULL};
    return merge_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_setup, recovery_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_unfinished_batch_is_completed_wherever_it_was_cut),
        TEST(test_a_batch_of_two_segments_is_completed_in_its_order),
        TEST(test_a_segment_of_the_batch_that_is_gone_was_delivered),
        TEST(test_a_batch_waits_for_a_segment_that_cannot_be_opened),
        TEST(test_a_batch_waits_for_a_segment_that_cannot_be_read),
        TEST(test_records_that_the_power_has_taken_hold_up_nothing),
        TEST(test_an_unfinished_batch_is_completed_before_another_name_is_written_to),
        TEST(test_another_name_waits_while_the_batch_cannot_be_completed),
        TEST(test_what_could_not_be_settled_stays_unfinished),
        TEST(test_what_could_not_be_settled_is_unfinished_after_a_death),
        TEST(test_a_torn_batch_is_completed_in_the_renamed_file),
        TEST(test_a_batch_is_begun_anew_where_the_output_was_cut_or_removed),
        TEST(test_a_short_write_is_gone_on_with_around_a_strangers_bytes),
        TEST(test_a_damaged_ledger_is_set_aside),
        TEST(test_a_ledger_that_cannot_be_read_keeps_its_output_waiting),
        TEST(test_a_start_without_memory_or_descriptors_fails_and_spoils_nothing),
        TEST(test_no_segment_is_removed_before_what_was_read_is_secured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
