/* merge_test.c -- the collector's passes over real segments, ledgers and files: every record stands
 * in its output once, in order, wherever an earlier collector was killed. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "collector/output/ledger.h"
#include "collector/merge.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

struct fixture {
    struct scratch root;
    struct scratch segments; /* a directory of its own, outside the root */
    struct settings settings;
    struct heritage heritage;
    struct merge *merge;
    uint64_t now_ms;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    scratch_open(&f->segments);
    f->settings.output_mode = 0640;
    f->settings.output_root = f->root.path;
    f->heritage.settings = &f->settings;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, 1), 0);
    f->now_ms = 1000;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    merge_close(&f->merge);
    scoreboard_close(&f->heritage.scoreboard);
    scratch_close(&f->root);
    scratch_close(&f->segments);
    free(f);
    return 0;
}

static struct segment_writer *
begin(struct fixture *f, uint32_t slot, uint64_t number, uint64_t first_sequence)
{
    struct segment_writer *writer = NULL;
    struct segment_identity identity = {slot, 1, number};
    assert_int_equal(
        segment_writer_create(&writer, f->segments.fd, &identity, first_sequence, 65536, false), 0);
    return writer;
}

static void
append(struct segment_writer *writer, const char *output, const char *text)
{
    struct segment_record record = {
        SEGMENT_FILE, {output, strlen(output)}, {text, strlen(text)}, 0};
    segment_writer_append(writer, &record);
}

static void
start(struct fixture *f)
{
    merge_close(&f->merge);
    assert_int_equal(merge_open(&f->merge, &f->heritage), 0);
}

/* Passes until one finds nothing, a little later each time. */
static void
merge_all(struct fixture *f)
{
    int64_t found = 1;
    merge_look_again(f->merge);
    while (found > 0) {
        found = merge_pass(f->merge, f->now_ms);
        f->now_ms += 10;
    }
    assert_int_equal(found, 0);
}

static size_t
count_entries(const struct fixture *f)
{
    struct segment_entry *entries = NULL;
    size_t count = 0;
    assert_int_equal(segment_store_list(f->segments.fd, &entries, &count), 0);
    free(entries);
    return count;
}

static void
test_follows_a_writer_and_retires_what_is_sealed(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *writer = begin(f, 0, 0, 0);
    start(f);
    append(writer, "out.txt", "one\n");
    merge_all(f);
    scratch_expect(&f->root, "out.txt", "one\n");
    append(writer, "out.txt", "two\n");
    append(writer, "deep/er/out.txt", "three\n");
    merge_all(f);
    scratch_expect(&f->root, "out.txt", "one\ntwo\n");
    scratch_expect(&f->root, "deep/er/out.txt", "three\n");
    assert_int_equal(count_entries(f), 1);
    segment_writer_seal(&writer);
    merge_all(f);
    assert_int_equal(count_entries(f), 0);
    assert_true(merge_is_empty(f->merge));
    scratch_expect(&f->root, "out.txt", "one\ntwo\n");
}

static void
test_a_restart_repeats_and_skips_nothing(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *writer = begin(f, 0, 0, 0);
    char expected[4096] = "";
    for (int i = 0; i < 50; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "record %d\n", i);
        (void)strcat(expected, text);
        append(writer, i % 2 == 0 ? "even" : "odd", text);
        append(writer, "all", text);
        if (i % 7 == 0) {
            start(f);
            merge_all(f);
        }
    }
    segment_writer_seal(&writer);
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "all", expected);
    assert_int_equal(count_entries(f), 0);
}

static void
test_idle_outputs_leave_no_ledger(void **state)
{
    struct fixture *f = *state;
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, SEGMENT_FILE, (struct bytes){"out", 3});
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "out", "x");
    start(f);
    merge_all(f);
    merge_release_idle(f->merge);
    assert_true(scratch_has(&f->segments, name)); /* the segment is still there, and x consumed */
    segment_writer_seal(&writer);
    merge_all(f);
    merge_release_idle(f->merge);
    assert_false(scratch_has(&f->segments, name));
    writer = begin(f, 0, 1, 1);
    append(writer, "out", "y");
    merge_all(f);
    segment_writer_seal(&writer);
    scratch_expect(&f->root, "out", "xy");
}

/* What a collector killed within a batch leaves: an intent in the ledger, and any part of the batch
 * in the file. */
static void
test_an_unfinished_batch_is_cut_off_and_written_again(void **state)
{
    struct fixture *f = *state;
    static const char batch[] = "first\nsecond\n";
    for (size_t part = 0; part <= strlen(batch); part++) {
        struct segment_writer *writer = begin(f, 0, part, 0);
        append(writer, "out", "first\n");
        append(writer, "out", "second\n");
        char content[64];
        int kept = snprintf(content, sizeof(content), "before\n%.*s", (int)part, batch);
        scratch_put(&f->root, "out", content, (size_t)kept);

        struct stat status;
        struct ledger *ledger = NULL;
        assert_int_equal(fstatat(f->root.fd, "out", &status, 0), 0);
        struct ledger_mark mark = {status.st_dev, status.st_ino, strlen("before\n"), strlen(batch)};
        assert_int_equal(ledger_open(&ledger, f->segments.fd, SEGMENT_FILE,
                                     (struct bytes){"out", 3}, false, &(bool){false}),
                         0);
        assert_int_equal(ledger_write(ledger, &mark, NULL, 0), 0);
        ledger_close(&ledger);

        start(f);
        merge_all(f);
        scratch_expect(&f->root, "out", "before\nfirst\nsecond\n");
        segment_writer_seal(&writer);
        merge_all(f);
        merge_release_idle(f->merge);
    }
}

/* Each output gets its own records and no other's, also after some have been forgotten
 * meanwhile. */
static void
test_many_outputs_are_told_apart(void **state)
{
    struct fixture *f = *state;
    char name[16];
    char text[32];
    start(f);
    for (unsigned round = 0; round < 3; round++) {
        struct segment_writer *writer = begin(f, 0, round, 0);
        for (unsigned i = 0; i < 600; i++) {
            unsigned output = i * 7 % 300;
            (void)snprintf(name, sizeof(name), "out-%u", output);
            (void)snprintf(text, sizeof(text), "%u of round %u\n", output, round);
            append(writer, name, text);
        }
        merge_all(f);
        for (unsigned output = 0; output < 300; output++) {
            (void)snprintf(name, sizeof(name), "out-%u", output);
            char expected[256] = "";
            for (unsigned done = 0; done <= 2 * round + 1; done++) {
                (void)snprintf(text, sizeof(text), "%u of round %u\n", output, done / 2);
                (void)strcat(expected, text);
            }
            scratch_expect(&f->root, name, expected);
        }
        segment_writer_seal(&writer);
        merge_all(f);
        if (round == 1)
            merge_release_idle(f->merge); /* forgets them all */
        assert_int_equal(count_entries(f), 0);
    }
}

/* Forgets one of two outputs: the other is found as before. */
static void
test_an_output_is_found_after_another_is_forgotten(void **state)
{
    struct fixture *f = *state;
    start(f);
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "gone", "0\n");
    append(writer, "gone", "1\n"); /* the last one found */
    merge_all(f);
    segment_writer_seal(&writer);
    merge_all(f);
    writer = begin(f, 0, 1, 0);
    append(writer, "kept", "2\n");
    merge_all(f);
    merge_release_idle(f->merge);
    append(writer, "kept", "3\n");
    append(writer, "gone", "4\n");
    append(writer, "kept", "5\n");
    merge_all(f);
    scratch_expect(&f->root, "kept", "2\n3\n5\n");
    scratch_expect(&f->root, "gone", "0\n1\n4\n");
    segment_writer_seal(&writer);
}

static void
test_segments_of_one_incarnation_are_read_in_turn(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *first = begin(f, 0, 0, 0);
    struct segment_writer *second = begin(f, 0, 1, 1);
    append(second, "out", "b");
    start(f);
    merge_all(f);
    assert_null(scratch_get(&f->root, "out", NULL)); /* the first may still grow */
    append(first, "out", "a");
    segment_writer_seal(&first);
    merge_all(f);
    scratch_expect(&f->root, "out", "ab");
    segment_writer_seal(&second);
}

static void
test_a_blocked_output_holds_up_no_other_and_keeps_its_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->root.fd, "stuck", 0700), 0); /* no file can be written here */
    struct segment_writer *writer = begin(f, 0, 0, 0);
    start(f);
    append(writer, "stuck", "1");
    append(writer, "free", "a");
    merge_all(f);
    append(writer, "stuck", "2");
    append(writer, "free", "b");
    segment_writer_seal(&writer);
    writer = begin(f, 0, 1, 4);
    append(writer, "stuck", "3");
    append(writer, "free", "c");
    segment_writer_seal(&writer);
    for (int i = 0; i < 50; i++)
        merge_all(f);
    scratch_expect(&f->root, "free", "abc");
    assert_int_equal(count_entries(f), 2); /* they hold what "stuck" has not got */
    assert_true(merge_retry_in_ms(f->merge, f->now_ms) <= 1000);

    start(f); /* and a restart changes nothing */
    merge_all(f);
    assert_int_equal(unlinkat(f->root.fd, "stuck", AT_REMOVEDIR), 0);
    f->now_ms += 2000;
    merge_all(f);
    scratch_expect(&f->root, "stuck", "123");
    scratch_expect(&f->root, "free", "abc");
    assert_int_equal(count_entries(f), 0);
    assert_int_equal(merge_retry_in_ms(f->merge, f->now_ms), UINT64_MAX);
}

/* A place where no file can be is waited for, but not for good: the segments would never be
 * free. */
static void
test_what_can_never_be_delivered_is_set_aside(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->root.fd, "stuck", 0700), 0);
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "stuck", "1");
    append(writer, "free", "a");
    append(writer, "stuck", "2");
    segment_writer_seal(&writer);
    start(f);
    for (int second = 0; second < 8; second++) {
        merge_all(f);
        f->now_ms += 1000;
    }
    merge_all(f);
    assert_int_equal(count_entries(f), 0);
    scratch_expect(&f->root, "free", "a");
    char name[64 + LEDGER_NAME_BYTES_MAX];
    char ledger[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(ledger, SEGMENT_FILE, (struct bytes){"stuck", 5});
    (void)snprintf(name, sizeof(name), "quarantine/undeliverable-%s", ledger);
    scratch_expect(&f->segments, name, "12");
}

/* Two names of one file, and a batch of the one unfinished: nothing is written to the other before
 * it is taken back. */
static void
test_an_unfinished_batch_is_taken_back_before_another_name_is_written_to(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->root, "file", "before\nfir", 10);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    struct segment_writer *other = begin(f, 0, 0, 0);
    append(other, "file", "other\n");
    segment_writer_seal(&other);
    struct segment_writer *writer = begin(f, 1, 0, 0);
    append(writer, "link", "first\n");
    segment_writer_seal(&writer);
    struct stat status;
    struct ledger *ledger = NULL;
    bool created;
    assert_int_equal(fstatat(f->root.fd, "file", &status, 0), 0);
    struct ledger_mark mark = {status.st_dev, status.st_ino, 7, 6};
    assert_int_equal(ledger_open(&ledger, f->segments.fd, SEGMENT_FILE, (struct bytes){"link", 4},
                                 false, &created),
                     0);
    assert_int_equal(ledger_write(ledger, &mark, NULL, 0), 0);
    ledger_close(&ledger);
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
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->root.fd, "logs", 0700), 0);
    for (int replaced = 0; replaced < 2; replaced++) {
        scratch_put(&f->root, "logs/out", "before\nfir", 10);
        struct stat status;
        struct ledger *ledger = NULL;
        assert_int_equal(fstatat(f->root.fd, "logs/out", &status, 0), 0);
        struct ledger_mark mark = {status.st_dev, status.st_ino, 7, 6};
        assert_int_equal(ledger_open(&ledger, f->segments.fd, SEGMENT_FILE,
                                     (struct bytes){"logs/out", 8}, false, &(bool){false}),
                         0);
        assert_int_equal(ledger_write(ledger, &mark, NULL, 0), 0);
        ledger_close(&ledger);
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
    struct fixture *f = *state;
    scratch_put(&f->root, "file", "before\nfir", 10);
    assert_int_equal(symlinkat("file", f->root.fd, "link"), 0);
    struct stat status;
    struct ledger *ledger = NULL;
    assert_int_equal(fstatat(f->root.fd, "file", &status, 0), 0);
    struct ledger_mark mark = {status.st_dev, status.st_ino, 7, 6};
    assert_int_equal(ledger_open(&ledger, f->segments.fd, SEGMENT_FILE, (struct bytes){"link", 4},
                                 false, &(bool){false}),
                     0);
    assert_int_equal(ledger_write(ledger, &mark, NULL, 0), 0);
    ledger_close(&ledger);

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

/* Entries that are none of ours, or cannot be read, keep nothing else from being merged. */
static void
test_strange_entries_stand_in_nobodys_way(void **state)
{
    struct fixture *f = *state;
    int fd = f->segments.fd;
    assert_int_equal(mkdirat(fd, "00007-0000000001-0000000000.sealed", 0700), 0);
    assert_int_equal(mkfifoat(fd, "00008-0000000001-0000000000.sealed", 0600), 0);
    assert_int_equal(symlinkat("nowhere", fd, "00009-0000000001-0000000000.sealed"), 0);
    assert_int_equal(mkfifoat(fd, "00010-0000000001-0000000000.open", 0600), 0);
    assert_int_equal(mkdirat(fd, "ledger-0123456789abcdef0123456789abcdef", 0700), 0);
    assert_int_equal(symlinkat("nowhere", fd, "ledger-1123456789abcdef0123456789abcdef"), 0);
    scratch_put(&f->segments, "ledger-2123456789abcdef0123456789abcdef", "short", 5);
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "out", "x");
    segment_writer_seal(&writer);
    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "x");
    assert_int_equal(count_entries(f), 0);
    assert_true(scratch_has(&f->segments, "quarantine/00008-0000000001-0000000000.sealed"));
    assert_true(scratch_has(&f->segments, "quarantine/ledger-2123456789abcdef0123456789abcdef"));
}

static void
test_a_removed_segment_holds_up_nothing(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "out", "1");
    start(f);
    merge_all(f);
    assert_int_equal(unlinkat(f->segments.fd, "00000-0000000001-0000000000.open", 0), 0);
    merge_all(f);
    append(writer, "out", "2"); /* its writer has not noticed yet */
    segment_writer_abandon(&writer);
    writer = begin(f, 0, 1, 2);
    append(writer, "out", "3");
    segment_writer_seal(&writer);
    f->now_ms += 4000;
    merge_all(f);
    scratch_expect(&f->root, "out", "123");
    assert_int_equal(count_entries(f), 0);
}

static void
test_damage_is_set_aside_with_what_came_before_it_merged(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "out", "good");
    append(writer, "out", "bad!");
    segment_writer_seal(&writer);
    static const char name[] = "00000-0000000001-0000000000.sealed";
    size_t size = 0;
    char *data = scratch_get(&f->segments, name, &size);
    char *bad = memmem(data, size, "bad!", 4);
    assert_non_null(bad);
    *bad = 'B';
    scratch_put(&f->segments, name, data, size);
    free(data);
    writer = begin(f, 1, 0, 0);
    append(writer, "other", "other");
    segment_writer_seal(&writer);

    start(f);
    merge_all(f);
    scratch_expect(&f->root, "out", "good");
    scratch_expect(&f->root, "other", "other");
    assert_int_equal(count_entries(f), 0);
    assert_true(scratch_has(&f->segments, "quarantine/00000-0000000001-0000000000.sealed"));
}

static void
test_a_damaged_ledger_is_set_aside(void **state)
{
    struct fixture *f = *state;
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

static void
test_a_renamed_output_is_left_and_a_new_one_begun(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *writer = begin(f, 0, 0, 0);
    start(f);
    append(writer, "out", "old");
    merge_all(f);
    assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
    append(writer, "out", "new");
    merge_all(f);
    scratch_expect(&f->root, "out.1", "old");
    scratch_expect(&f->root, "out", "new");
    segment_writer_seal(&writer);
}

static void
test_a_truncated_output_gets_no_hole(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *writer = begin(f, 0, 0, 0);
    start(f);
    append(writer, "out", "a long first line\n");
    merge_all(f);
    scratch_put(&f->root, "out", "", 0);
    append(writer, "out", "second\n");
    merge_all(f);
    scratch_expect(&f->root, "out", "second\n");
    segment_writer_seal(&writer);
}

/* The collector is killed at a random instruction, again and again, while it merges what is there.
 */
static void
test_killed_again_and_again_it_writes_everything_once(void **state)
{
    struct fixture *f = *state;
    enum { SEGMENTS = 8, RECORDS = 900 };
    for (uint32_t slot = 0; slot < SEGMENTS; slot++) {
        struct segment_writer *writer = begin(f, slot, 0, 0);
        for (int i = 0; i < RECORDS; i++) {
            char text[48];
            (void)snprintf(text, sizeof(text), "%u:%d\n", slot, i);
            append(writer, i % 3 == 0 ? "third" : "rest", text);
        }
        segment_writer_seal(&writer);
    }
    int kills = 0;
    bool done = false;
    for (unsigned round = 0; !done; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct merge *merge = NULL;
            if (merge_open(&merge, &f->heritage) != 0)
                _exit(1);
            while (merge_pass(merge, 1000) > 0) {
                if (round == 0)
                    (void)raise(SIGKILL); /* however late the parent is */
            }
            _exit(merge_is_empty(merge) ? 0 : 1);
        }
        (void)usleep(round * 53 % 3000); /* a merge of it all takes about so long */
        (void)kill(child, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        done = WIFEXITED(status);
        assert_true(!done || WEXITSTATUS(status) == 0);
        kills += done ? 0 : 1;
    }
    assert_true(kills > 0);
    static const char *const outputs[] = {"third", "rest"};
    size_t found = 0;
    int next[SEGMENTS][2] = {{0}};
    for (size_t o = 0; o < 2; o++) {
        char *data = scratch_get(&f->root, outputs[o], NULL);
        assert_non_null(data);
        for (char *save = NULL, *line = strtok_r(data, "\n", &save); line != NULL;
             line = strtok_r(NULL, "\n", &save), found++) {
            unsigned slot = 0;
            int i = 0;
            assert_int_equal(sscanf(line, "%u:%d", &slot, &i), 2);
            assert_true(slot < SEGMENTS);
            while ((next[slot][o] % 3 == 0) != (o == 0))
                next[slot][o]++;
            assert_int_equal(i, next[slot][o]++);
        }
        free(data);
    }
    assert_int_equal(found, SEGMENTS * RECORDS);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_follows_a_writer_and_retires_what_is_sealed),
        TEST(test_a_restart_repeats_and_skips_nothing),
        TEST(test_idle_outputs_leave_no_ledger),
        TEST(test_an_unfinished_batch_is_cut_off_and_written_again),
        TEST(test_many_outputs_are_told_apart),
        TEST(test_an_output_is_found_after_another_is_forgotten),
        TEST(test_segments_of_one_incarnation_are_read_in_turn),
        TEST(test_a_blocked_output_holds_up_no_other_and_keeps_its_order),
        TEST(test_what_can_never_be_delivered_is_set_aside),
        TEST(test_an_unfinished_batch_is_taken_back_before_another_name_is_written_to),
        TEST(test_an_unfinished_batch_is_found_in_a_renamed_file),
        TEST(test_a_batch_is_taken_back_once),
        TEST(test_strange_entries_stand_in_nobodys_way),
        TEST(test_a_removed_segment_holds_up_nothing),
        TEST(test_damage_is_set_aside_with_what_came_before_it_merged),
        TEST(test_a_damaged_ledger_is_set_aside),
        TEST(test_a_renamed_output_is_left_and_a_new_one_begun),
        TEST(test_a_truncated_output_gets_no_hole),
        TEST(test_killed_again_and_again_it_writes_everything_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
