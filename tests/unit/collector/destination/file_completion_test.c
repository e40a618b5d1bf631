/* file_completion_test.c -- whatever was done to an output file in which a batch was cut short,
 * the batch stands in it once when it is completed, and nothing that others wrote is changed. */
#include "tests/unit/failing_calls.h"

#include <signal.h>
#include <sys/resource.h>

#include "collector/destination/destination.h"
#include "common/heritage.h"
#include "common/settings.h"

#define BEFORE "before\n"
#define BATCH "one\ntwo\nthree\n"
#define BATCH_BYTES (sizeof(BATCH) - 1)
#define RECORDS 3U

/* More than is looked through for the batch. */
#define MUCH_BYTES ((size_t)5 << 20)

static char one[] = "one\n";
static char two[] = "two\n";
static char three[] = "three\n";
static const struct iovec records[RECORDS] = {{one, 4}, {two, 4}, {three, 6}};

struct fixture {
    struct scratch root;
    struct scratch segments; /* a directory of its own, outside the root */
    struct settings settings;
    struct heritage heritage;
    struct destination *destination;
    bool moved;
    size_t standing;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    scratch_open(&f->segments);
    f->settings.output_mode = 0640;
    f->heritage.settings = &f->settings;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    assert_int_equal(file_destination.open(&f->destination, &f->heritage, "out"), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    failing = (struct failing_call){.call = NULL};
    before_writev = NULL;
    file_destination.close(&f->destination);
    scratch_close(&f->root);
    scratch_close(&f->segments);
    free(f);
    return 0;
}

static void
put(const struct fixture *f, const char *name, const char *text)
{
    scratch_put(&f->root, name, text, strlen(text));
}

/* The mark of a batch that was begun in `name` behind BEFORE. */
static struct ledger_mark
mark_in(const struct fixture *f, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(f->root.fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return (struct ledger_mark){status.st_dev, status.st_ino, sizeof(BEFORE) - 1, BATCH_BYTES};
}

static int
complete_as(struct fixture *f, const struct ledger_mark *mark, bool again)
{
    f->moved = false;
    f->standing = 99;
    return file_destination.complete(f->destination, mark, records, RECORDS, again, &f->moved,
                                     &f->standing);
}

static int
complete(struct fixture *f, const struct ledger_mark *mark)
{
    return complete_as(f, mark, false);
}

/* The file stands as `found` when the batch is completed, and then as `expected`; once more changes
 * nothing. */
static void
expect_completed(struct fixture *f, const char *found, const char *expected)
{
    for (int again = 0; again < 2; again++) {
        put(f, "out", found);
        struct ledger_mark mark = mark_in(f, "out");
        assert_int_equal(complete_as(f, &mark, again != 0), 0);
        scratch_expect(&f->root, "out", expected);
        assert_int_equal(f->moved, strcmp(found, expected) != 0);
        assert_int_equal(complete_as(f, &mark, again != 0), 0);
        scratch_expect(&f->root, "out", expected);
        assert_false(f->moved);
    }
}

/* Nothing of the batch stands in the file, which is not the marked one: it needs a batch of its
 * own, and nothing is written. */
static void
expect_begun_anew(struct fixture *f, const struct ledger_mark *mark)
{
    assert_int_equal(complete(f, mark), -ERANGE);
    assert_int_equal(f->standing, 0);
    assert_false(f->moved);
}

/* ---- nobody else */

static void
test_a_batch_is_completed_wherever_it_was_cut_short(void **state)
{
    for (size_t part = 0; part <= BATCH_BYTES; part++) {
        char found[64];
        (void)snprintf(found, sizeof(found), BEFORE "%.*s", (int)part, BATCH);
        expect_completed(*state, found, BEFORE BATCH);
    }
}

/* A loss of power leaves zeros where pages never reached the disk. */
static void
test_zeros_in_the_place_of_the_batch_are_filled(void **state)
{
    struct fixture *f = *state;
    char found[sizeof(BEFORE BATCH)];
    for (size_t from = 0; from < BATCH_BYTES; from++) {
        for (size_t end = from + 1; end <= BATCH_BYTES; end++) {
            memcpy(found, BEFORE BATCH, sizeof(found));
            memset(found + sizeof(BEFORE) - 1 + from, 0, end - from);
            scratch_put(&f->root, "out", found, sizeof(found) - 1);
            struct ledger_mark mark = mark_in(f, "out");
            assert_int_equal(complete(f, &mark), 0);
            scratch_expect(&f->root, "out", BEFORE BATCH);
        }
    }
}

static void
test_zeros_are_filled_and_the_rest_is_appended(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->root, "out", BEFORE "on\0\0two\nth", 17);
    struct ledger_mark mark = mark_in(f, "out");
    assert_int_equal(complete(f, &mark), 0);
    scratch_expect(&f->root, "out", BEFORE BATCH);
}

/* What stands may be in the memory of the kernel only: it is written once more, the same bytes. */
static void
test_what_stands_is_written_again_when_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    put(f, "out", BEFORE "one\ntwo\nth");
    struct ledger_mark mark = mark_in(f, "out");
    failing = (struct failing_call){"pwrite", "/out", EIO, 0, FAILING_ALWAYS, 0};
    assert_int_equal(complete(f, &mark), 0); /* not asked for: nothing is written in place */
    put(f, "out", BEFORE "one\ntwo\nth");
    assert_int_equal(complete_as(f, &mark, true), -EIO);
    failing.failed = 0;
    failing.skip = 2; /* "one\n" and "two\n", and then "th" */
    assert_int_equal(complete_as(f, &mark, true), -EIO);
    assert_int_equal(failing.failed, 1);
    scratch_expect(&f->root, "out", BEFORE "one\ntwo\nth");
    failing = (struct failing_call){.call = NULL};
    assert_int_equal(complete_as(f, &mark, true), 0);
    scratch_expect(&f->root, "out", BEFORE BATCH);
}

/* For the time of a write in place the file is not open for appending. Whatever fails on the
 * way, the next completion appends again. */
static void
test_a_write_in_place_that_fails_spoils_nothing(void **state)
{
    struct fixture *f = *state;
    for (unsigned skip = 0; skip < 9; skip++) {
        put(f, "out", BEFORE "one\ntwo\nth");
        struct ledger_mark mark = mark_in(f, "out");
        failing = (struct failing_call){"fcntl", "/out", EIO, skip, 1, 0};
        assert_int_equal(complete_as(f, &mark, true), -EIO);
        assert_int_equal(failing.failed, 1);
        scratch_expect(&f->root, "out", BEFORE "one\ntwo\nth");
        assert_int_equal(complete_as(f, &mark, true), 0);
        scratch_expect(&f->root, "out", BEFORE BATCH);
    }
}

/* A file that may only be appended to (chattr +a): what stands cannot be written again, and what is
 * missing can be appended. */
static void
test_a_file_that_may_only_be_appended_to_is_completed(void **state)
{
    struct fixture *f = *state;
    put(f, "out", BEFORE "one\ntwo\nth");
    struct ledger_mark mark = mark_in(f, "out");
    failing = (struct failing_call){"fcntl", "/out", EPERM, 1, FAILING_ALWAYS, 0};
    int result = complete_as(f, &mark, true);
    assert_true(failing.failed > 0);
    assert_int_equal(result, 0);
    scratch_expect(&f->root, "out", BEFORE BATCH);
}

/* A volume that is full takes a part each time. */
static void
test_a_completion_that_is_cut_short_is_gone_on_with(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    put(f, "out", BEFORE "o");
    struct ledger_mark mark = mark_in(f, "out");
    (void)signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = sizeof(BEFORE); room <= sizeof(BEFORE BATCH) - 1; room++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){room, limit.rlim_max}), 0);
        int result = complete_as(f, &mark, room % 2 == 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(result == 0, room == sizeof(BEFORE BATCH) - 1);
    }
    scratch_expect(&f->root, "out", BEFORE BATCH);
}

/* ---- others write to the file too */

static void
test_strangers_before_between_and_behind_stay(void **state)
{
    struct fixture *f = *state;
    expect_completed(f, BEFORE "S\n", BEFORE "S\n" BATCH);
    expect_completed(f, BEFORE "S\n" BATCH, BEFORE "S\n" BATCH);
    expect_completed(f, BEFORE BATCH "S\n", BEFORE BATCH "S\n");
    expect_completed(f, BEFORE "one\nS\ntwo\n", BEFORE "one\nS\ntwo\nthree\n");
    expect_completed(f, BEFORE "S\none\nS\n", BEFORE "S\none\nS\ntwo\nthree\n");
    expect_completed(f, BEFORE "one\nS\ntwo\nS\nthree\nS\n", BEFORE "one\nS\ntwo\nS\nthree\nS\n");
}

static void
test_a_torn_record_is_continued_where_nobody_wrote_behind_it(void **state)
{
    struct fixture *f = *state;
    expect_completed(f, BEFORE "one\nt", BEFORE BATCH);
    expect_completed(f, BEFORE "S\none\ntwo\nthr", BEFORE "S\n" BATCH);
}

static void
test_a_torn_record_with_a_stranger_behind_is_written_again_whole(void **state)
{
    struct fixture *f = *state;
    expect_completed(f, BEFORE "one\ntwS\n", BEFORE "one\ntwS\ntwo\nthree\n");
    expect_completed(f, BEFORE "oS\n", BEFORE "oS\n" BATCH);
}

/* What the test's stranger writes, and before which call. */
static const struct fixture *strangers_fixture;
static int strangers_calls;

static void
stranger_appends(void)
{
    if (strangers_calls-- <= 0)
        return;
    int fd = openat(strangers_fixture->root.fd, "out", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "S\n", 2), 2);
    (void)close(fd);
}

/* Somebody appends between the comparison and each of the first writes. */
static void
test_somebody_who_writes_meanwhile_spoils_nothing(void **state)
{
    struct fixture *f = *state;
    for (int calls = 1; calls < 4; calls++) {
        put(f, "out", BEFORE "one\ntw");
        struct ledger_mark mark = mark_in(f, "out");
        strangers_fixture = f;
        strangers_calls = calls;
        before_writev = stranger_appends;
        assert_int_equal(complete(f, &mark), 0);
        before_writev = NULL;
        char *data = scratch_get(&f->root, "out", NULL);
        assert_non_null(data);
        assert_true(strncmp(data, BEFORE "one\ntwS\n", 15) == 0);
        const char *second = strstr(data, two);
        assert_true(second != NULL && strstr(second + 1, two) == NULL);
        const char *third = strstr(data, three);
        assert_true(third > second && strstr(third + 1, three) == NULL);
        free(data);
        assert_int_equal(complete(f, &mark), 0);
        assert_false(f->moved);
    }
}

/* Puts much that others wrote behind what stands. */
static char *
put_much(const struct fixture *f, const char *standing)
{
    size_t length = strlen(standing);
    char *data = malloc(length + MUCH_BYTES + 1);
    assert_non_null(data);
    memcpy(data, standing, length);
    memset(data + length, 'S', MUCH_BYTES);
    data[length + MUCH_BYTES] = '\0';
    scratch_put(&f->root, "out", data, length + MUCH_BYTES);
    return data;
}

static void
test_a_whole_batch_is_found_in_front_of_much_that_others_wrote(void **state)
{
    struct fixture *f = *state;
    char *data = put_much(f, BEFORE BATCH);
    struct ledger_mark mark = mark_in(f, "out");
    assert_int_equal(complete(f, &mark), 0);
    assert_false(f->moved);
    scratch_expect(&f->root, "out", data);
    free(data);
}

/* What would be written behind it could not be found there again: that needs another mark. */
static void
test_behind_much_that_others_wrote_the_rest_needs_a_batch_of_its_own(void **state)
{
    static const struct {
        const char *standing;
        size_t records;
    } cases[] = {{BEFORE, 0}, {BEFORE "on", 0}, {BEFORE "one\n", 1}, {BEFORE "one\ntwo\nth", 2}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *data = put_much(f, cases[i].standing);
        struct ledger_mark mark = mark_in(f, "out");
        assert_int_equal(complete(f, &mark), -ERANGE);
        assert_int_equal(f->standing, cases[i].records);
        assert_false(f->moved);
        scratch_expect(&f->root, "out", data);
        free(data);
    }
}

/* ---- another file */

static void
test_a_renamed_output_is_completed_where_its_batch_was_begun(void **state)
{
    struct fixture *f = *state;
    for (int replaced = 0; replaced < 2; replaced++) {
        put(f, "out", BEFORE "on");
        struct ledger_mark mark = mark_in(f, "out");
        assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
        if (replaced)
            put(f, "out", "another file\n");
        assert_int_equal(complete(f, &mark), 0);
        scratch_expect(&f->root, "out.1", BEFORE BATCH);
        assert_int_equal(scratch_has(&f->root, "out"), replaced);
        if (replaced)
            scratch_expect(&f->root, "out", "another file\n");
    }
}

/* Nothing of the batch stands in it, so nothing says that it is ours still. */
static void
test_a_renamed_output_without_any_of_the_batch_is_left(void **state)
{
    struct fixture *f = *state;
    put(f, "out", BEFORE);
    struct ledger_mark mark = mark_in(f, "out");
    assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
    put(f, "out", "another file\n");
    expect_begun_anew(f, &mark);
    scratch_expect(&f->root, "out.1", BEFORE);
    scratch_expect(&f->root, "out", "another file\n");
}

/* The output was removed, and a stranger's new file in the directory got its inode. */
static void
test_a_strangers_file_that_got_the_inode_is_not_changed(void **state)
{
    static const char *const texts[] = {"", "short", BEFORE, "a longer text of somebody else\n",
                                        BEFORE "and this behind it\n"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put(f, "stranger", texts[i]);
        struct ledger_mark mark = mark_in(f, "stranger");
        int result = complete(f, &mark);
        assert_true(result == 0 || result == -ERANGE);
        scratch_expect(&f->root, "stranger", texts[i]);
    }
}

static void
test_zeros_in_a_strangers_file_are_not_filled(void **state)
{
    static const char zeros[256];
    struct fixture *f = *state;
    size_t size = 0;
    scratch_put(&f->root, "stranger", zeros, sizeof(zeros));
    struct ledger_mark mark = mark_in(f, "stranger");
    assert_int_equal(complete(f, &mark), -ERANGE);
    char *data = scratch_get(&f->root, "stranger", &size);
    assert_int_equal(size, sizeof(zeros));
    assert_memory_equal(data, zeros, sizeof(zeros));
    free(data);
}

/* A stranger's file in the output's place, with the inode of the mark or with another one: it is
 * the output now, and what stands in it stays. */
static void
test_a_strangers_file_in_the_outputs_place_is_appended_to(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "a text that somebody else has written here\n";
    for (int same_inode = 0; same_inode < 2; same_inode++) {
        put(f, "out", text);
        struct ledger_mark mark = mark_in(f, "out");
        mark.inode += same_inode ? 0 : 1000000;
        char expected[128];
        (void)snprintf(expected, sizeof(expected), "%s%s", text, same_inode ? BATCH : "");
        if (same_inode)
            assert_int_equal(complete(f, &mark), 0);
        else
            expect_begun_anew(f, &mark);
        scratch_expect(&f->root, "out", expected);
    }
}

/* A copy of the volume (cp -a), or one that is attached under other numbers: the content tells. */
static void
test_a_copy_under_other_numbers_is_completed(void **state)
{
    struct fixture *f = *state;
    for (size_t part = 1; part <= BATCH_BYTES; part++) {
        char found[64];
        (void)snprintf(found, sizeof(found), BEFORE "%.*s", (int)part, BATCH);
        put(f, "out", found);
        struct ledger_mark mark = mark_in(f, "out");
        mark.device += 7;
        mark.inode += part % 2 == 0 ? 0 : 1000000;
        assert_int_equal(complete(f, &mark), 0);
        scratch_expect(&f->root, "out", BEFORE BATCH);
    }
}

static void
test_a_renamed_output_of_another_device_is_known_by_its_content(void **state)
{
    struct fixture *f = *state;
    put(f, "out", "another file\n");
    put(f, "out.1", BEFORE "one\ntw");
    struct ledger_mark mark = mark_in(f, "out.1");
    mark.device += 7;
    assert_int_equal(complete(f, &mark), 0);
    scratch_expect(&f->root, "out.1", BEFORE BATCH);
    scratch_expect(&f->root, "out", "another file\n");
}

/* A backup was restored, or somebody cut the file: the mark is of no use any more. */
static void
test_a_file_that_is_shorter_than_the_mark_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    for (size_t left = 0; left < sizeof(BEFORE) - 1; left++) {
        char found[16];
        (void)snprintf(found, sizeof(found), "%.*s", (int)left, BEFORE);
        put(f, "out", found);
        struct ledger_mark mark = mark_in(f, "out");
        assert_int_equal(complete(f, &mark), -ERANGE);
        assert_int_equal(f->standing, 0);
        assert_false(f->moved);
        scratch_expect(&f->root, "out", found);
    }
}

static void
test_a_file_that_is_gone_is_made_anew(void **state)
{
    struct fixture *f = *state;
    put(f, "out", "");
    struct ledger_mark mark = mark_in(f, "out");
    mark.offset = 0;
    assert_int_equal(unlinkat(f->root.fd, "out", 0), 0);
    expect_begun_anew(f, &mark);
    scratch_expect(&f->root, "out", "");
}

/* ---- what cannot be read */

static void
test_what_is_no_file_now_waits(void **state)
{
    struct fixture *f = *state;
    put(f, "out", BEFORE "one\ntw");
    struct ledger_mark mark = mark_in(f, "out");
    assert_int_equal(renameat(f->root.fd, "out", f->segments.fd, "kept"), 0);
    assert_int_equal(mkdirat(f->root.fd, "out", 0700), 0);
    assert_int_equal(complete(f, &mark), -EISDIR);
    assert_int_equal(complete(f, &mark), -EISDIR);
    assert_int_equal(unlinkat(f->root.fd, "out", AT_REMOVEDIR), 0);
    assert_int_equal(renameat(f->segments.fd, "kept", f->root.fd, "out"), 0);
    assert_int_equal(complete(f, &mark), 0);
    scratch_expect(&f->root, "out", BEFORE BATCH);
}

/* Each read of the file fails once: nothing is written in ignorance. */
static void
test_a_file_that_cannot_be_read_waits(void **state)
{
    struct fixture *f = *state;
    put(f, "out", BEFORE "one\ntw");
    struct ledger_mark mark = mark_in(f, "out");
    failing = (struct failing_call){"pread", "/out", EIO, 0, FAILING_ALWAYS, 0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(complete(f, &mark), -EIO);
        assert_false(f->moved);
        scratch_expect(&f->root, "out", BEFORE "one\ntw");
    }
    failing = (struct failing_call){.call = NULL};
    assert_int_equal(complete(f, &mark), 0);
    scratch_expect(&f->root, "out", BEFORE BATCH);
}

/* The renamed file cannot be read now: the batch may stand in it, so it must not go elsewhere. */
static void
test_a_renamed_file_that_cannot_be_read_waits(void **state)
{
    struct fixture *f = *state;
    put(f, "out", BEFORE "one\ntw");
    struct ledger_mark mark = mark_in(f, "out");
    assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
    failing = (struct failing_call){"pread", "/out.1", EIO, 0, FAILING_ALWAYS, 0};
    assert_int_equal(complete(f, &mark), -EIO);
    failing = (struct failing_call){.call = NULL};
    assert_false(scratch_has(&f->root, "out"));
    scratch_expect(&f->root, "out.1", BEFORE "one\ntw");
    assert_int_equal(complete(f, &mark), 0);
    scratch_expect(&f->root, "out.1", BEFORE BATCH);
}

/* ---- peeking */

static void
test_what_stands_behind_the_mark_is_shown(void **state)
{
    struct fixture *f = *state;
    char bytes[BATCH_BYTES];
    put(f, "out", BEFORE "one\ntw");
    struct ledger_mark mark = mark_in(f, "out");
    assert_int_equal(file_destination.peek(f->destination, &mark, bytes), 6);
    assert_memory_equal(bytes, "one\ntw", 6);
    put(f, "out", BEFORE BATCH "and more\n");
    assert_int_equal(file_destination.peek(f->destination, &mark, bytes), BATCH_BYTES);
    assert_memory_equal(bytes, BATCH, BATCH_BYTES);
    put(f, "out", "bef");
    assert_int_equal(file_destination.peek(f->destination, &mark, bytes), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch_is_completed_wherever_it_was_cut_short),
        TEST(test_zeros_in_the_place_of_the_batch_are_filled),
        TEST(test_zeros_are_filled_and_the_rest_is_appended),
        TEST(test_what_stands_is_written_again_when_that_is_asked_for),
        TEST(test_a_write_in_place_that_fails_spoils_nothing),
        TEST(test_a_file_that_may_only_be_appended_to_is_completed),
        TEST(test_a_completion_that_is_cut_short_is_gone_on_with),
        TEST(test_strangers_before_between_and_behind_stay),
        TEST(test_a_torn_record_is_continued_where_nobody_wrote_behind_it),
        TEST(test_a_torn_record_with_a_stranger_behind_is_written_again_whole),
        TEST(test_somebody_who_writes_meanwhile_spoils_nothing),
        TEST(test_a_whole_batch_is_found_in_front_of_much_that_others_wrote),
        TEST(test_behind_much_that_others_wrote_the_rest_needs_a_batch_of_its_own),
        TEST(test_a_renamed_output_is_completed_where_its_batch_was_begun),
        TEST(test_a_renamed_output_without_any_of_the_batch_is_left),
        TEST(test_a_strangers_file_that_got_the_inode_is_not_changed),
        TEST(test_zeros_in_a_strangers_file_are_not_filled),
        TEST(test_a_strangers_file_in_the_outputs_place_is_appended_to),
        TEST(test_a_copy_under_other_numbers_is_completed),
        TEST(test_a_renamed_output_of_another_device_is_known_by_its_content),
        TEST(test_a_file_that_is_shorter_than_the_mark_is_left_as_it_is),
        TEST(test_a_file_that_is_gone_is_made_anew),
        TEST(test_what_is_no_file_now_waits),
        TEST(test_a_file_that_cannot_be_read_waits),
        TEST(test_a_renamed_file_that_cannot_be_read_waits),
        TEST(test_what_stands_behind_the_mark_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
