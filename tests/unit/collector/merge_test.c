/* merge_test.c -- the collector's passes over real segments, ledgers and files: every record stands
 * in its output once, in order, wherever an earlier collector was killed. */
#include "tests/unit/collector/merge_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static void
test_follows_a_writer_and_retires_what_is_sealed(void **state)
{
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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

/* Each output gets its own records and no other's, also after some have been forgotten
 * meanwhile. */
static void
test_many_outputs_are_told_apart(void **state)
{
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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

/* A place where no file can be is waited for, however long that lasts: the segments keep what
 * waits, and nothing is called delivered. */
static void
test_what_cannot_be_delivered_waits_until_it_can(void **state)
{
    struct merge_fixture *f = *state;
    const struct collector_tally *tally = &f->heritage.scoreboard->collector;
    assert_int_equal(mkdirat(f->root.fd, "stuck", 0700), 0);
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "stuck", "1");
    append(writer, "free", "a");
    append(writer, "stuck", "2");
    segment_writer_seal(&writer);
    start(f);
    for (int minute = 0; minute < 30; minute++) {
        merge_all(f);
        f->now_ms += 60000;
    }
    assert_int_equal(count_entries(f), 1);
    scratch_expect(&f->root, "free", "a");
    assert_int_equal(tally_get(&tally->records), 1);
    assert_int_equal(tally_get(&tally->outputs_refusing), 1);
    assert_false(scratch_has(&f->segments, "quarantine"));
    assert_int_equal(unlinkat(f->root.fd, "stuck", AT_REMOVEDIR), 0);
    merge_all(f);
    scratch_expect(&f->root, "stuck", "12");
    assert_int_equal(tally_get(&tally->records), 3);
    assert_int_equal(count_entries(f), 0);
}

/* Entries that are none of ours, or cannot be read, keep nothing else from being merged. */
static void
test_strange_entries_stand_in_nobodys_way(void **state)
{
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
test_a_renamed_output_is_left_and_a_new_one_begun(void **state)
{
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
    struct merge_fixture *f = *state;
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
            if (merge_open(&merge, &f->heritage, NULL) != 0)
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_setup, merge_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_follows_a_writer_and_retires_what_is_sealed),
        TEST(test_a_restart_repeats_and_skips_nothing),
        TEST(test_idle_outputs_leave_no_ledger),
        TEST(test_many_outputs_are_told_apart),
        TEST(test_an_output_is_found_after_another_is_forgotten),
        TEST(test_segments_of_one_incarnation_are_read_in_turn),
        TEST(test_a_blocked_output_holds_up_no_other_and_keeps_its_order),
        TEST(test_what_cannot_be_delivered_waits_until_it_can),
        TEST(test_strange_entries_stand_in_nobodys_way),
        TEST(test_a_removed_segment_holds_up_nothing),
        TEST(test_damage_is_set_aside_with_what_came_before_it_merged),
        TEST(test_a_renamed_output_is_left_and_a_new_one_begun),
        TEST(test_a_truncated_output_gets_no_hole),
        TEST(test_killed_again_and_again_it_writes_everything_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
