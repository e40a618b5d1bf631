/* rotation_test.c -- when a file is rotated, and what its names are then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/destination/output_note.h"
#include "collector/destination/rotation.h"
#include "common/heritage.h"
#include "common/settings.h"
#include "segment/ledger_format.h"
#include "tests/unit/refused_calls.h"
#include "tests/unit/scratch.h"

static void
test_due(void **state)
{
    (void)state;
    const struct settings never = {.output_rotate_keep = 1};
    assert_false(rotation_is_due(&never, UINT64_MAX, 0, INT64_MAX));
    const struct settings by_size = {.output_rotate_bytes = 100};
    assert_false(rotation_is_due(&by_size, 0, 0, INT64_MAX));
    assert_false(rotation_is_due(&by_size, 99, 0, INT64_MAX));
    assert_true(rotation_is_due(&by_size, 100, 0, 0));
    const struct settings by_day = {.output_rotate_seconds = 86400};
    assert_false(rotation_is_due(&by_day, 1, 86400, 2 * 86400 - 1));
    assert_true(rotation_is_due(&by_day, 1, 2 * 86400 - 1, 2 * 86400));
    assert_true(rotation_is_due(&by_day, 1, 0, 9 * 86400));
    assert_false(rotation_is_due(&by_day, 0, 0, 9 * 86400));
    assert_false(rotation_is_due(&by_day, 1, 9 * 86400, 8 * 86400)); /* the clock was set back */
}

static void
test_period_begins(void **state)
{
    (void)state;
    const struct settings never = {.output_rotate_bytes = 1};
    assert_false(rotation_period_begins(&never, 0, 86400));
    const struct settings by_day = {.output_rotate_seconds = 86400};
    assert_true(rotation_period_begins(&by_day, 0, 1));
    assert_false(rotation_period_begins(&by_day, 86400, 2 * 86400 - 1));
    assert_true(rotation_period_begins(&by_day, 2 * 86400 - 1, 2 * 86400));
    assert_false(rotation_period_begins(&by_day, 2 * 86400, 2 * 86400 - 1)); /* was corrected */
    assert_true(rotation_period_begins(&by_day, 9 * 86400, 7 * 86400));      /* was set back */
}

struct fixture {
    struct scratch scratch;
    struct settings settings;
    struct heritage heritage;
    struct rotation_report report;
};

static int
set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    scratch_open(&f.scratch);
    f.settings.output_rotate_keep = 3;
    f.heritage.settings = &f.settings;
    f.heritage.fds[HERITAGE_FD_ROOT] = f.scratch.fd;
    assert_int_equal(mkdirat(f.scratch.fd, ".segments", 0700), 0);
    f.heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f.scratch.fd, ".segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.heritage.fds[HERITAGE_FD_SEGMENTS] >= 0);
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
    scratch_close(&f->scratch);
    return 0;
}

static void
put(const struct fixture *f, const char *name, const char *text)
{
    scratch_put(&f->scratch, name, text, strlen(text));
}

/* `text` NULL: it is not there. */
static void
expect(const struct fixture *f, const char *name, const char *text)
{
    if (text == NULL)
        assert_false(scratch_has(&f->scratch, name));
    else
        scratch_expect(&f->scratch, name, text);
}

static int
rotate(struct fixture *f, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(f->heritage.fds[HERITAGE_FD_ROOT], name, &status, 0), 0);
    return rotation_perform(&f->heritage, name, status.st_dev, status.st_ino, &f->report);
}

static void
test_numbers_move_up(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"1", "2", "3", "4", "5"};
    for (size_t i = 0; i < 5; i++) {
        put(f, "a", texts[i]);
        assert_int_equal(rotate(f, "a"), 0);
    }
    expect(f, "a", NULL);
    expect(f, "a.1", "5");
    expect(f, "a.2", "4");
    expect(f, "a.3", "3"); /* 1 and 2 have gone */
    expect(f, "a.4", NULL);
}

/* What an interrupted rotation leaves is filled first, and nothing behind it moves. */
static void
test_gap(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "new");
    put(f, "a.2", "two");
    put(f, "a.3", "three");
    assert_int_equal(rotate(f, "a"), 0);
    expect(f, "a.1", "new");
    expect(f, "a.2", "two");
    expect(f, "a.3", "three");
}

static void
test_keeps_one(void **state)
{
    struct fixture *f = *state;
    f->settings.output_rotate_keep = 1;
    put(f, "a", "one");
    assert_int_equal(rotate(f, "a"), 0);
    put(f, "a", "two");
    assert_int_equal(rotate(f, "a"), 0);
    expect(f, "a.1", "two");
    expect(f, "a.2", NULL);
}

static void
test_in_a_directory(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->heritage.fds[HERITAGE_FD_ROOT], "deep", 0700), 0);
    put(f, "deep/a", "one");
    assert_int_equal(rotate(f, "deep/a"), 0);
    expect(f, "deep/a.1", "one");
}

/* Somebody else's file, a link, and a directory in the way: the file keeps its name. */
static void
test_refusals(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    put(f, "a", "one");
    put(f, "b", "two");
    assert_int_equal(fstatat(f->heritage.fds[HERITAGE_FD_ROOT], "b", &status, 0), 0);
    assert_int_equal(rotation_perform(&f->heritage, "a", status.st_dev, status.st_ino, &f->report),
                     -ELOOP);
    assert_int_equal(symlinkat("a", f->heritage.fds[HERITAGE_FD_ROOT], "link"), 0);
    assert_int_equal(rotate(f, "link"), -ELOOP);
    f->settings.output_rotate_keep = 1;
    assert_int_equal(mkdirat(f->heritage.fds[HERITAGE_FD_ROOT], "a.1", 0700), 0);
    assert_int_equal(rotate(f, "a"), -EISDIR);
    expect(f, "a", "one");
}

/* Directories and links keep their names; the numbers beside them do. */
static void
test_passes_over(void **state)
{
    struct fixture *f = *state;
    int root_fd = f->heritage.fds[HERITAGE_FD_ROOT];
    assert_int_equal(mkdirat(root_fd, "a.1", 0700), 0);
    assert_int_equal(symlinkat("elsewhere", root_fd, "a.3"), 0);
    f->settings.output_rotate_keep = 4;
    static const char *const texts[] = {"1", "2", "3"};
    for (size_t i = 0; i < 3; i++) {
        put(f, "a", texts[i]);
        assert_int_equal(rotate(f, "a"), 0);
    }
    expect(f, "a.2", "3");
    expect(f, "a.4", "2");
    expect(f, "a.5", NULL);
    assert_int_equal(f->report.passed_over, 2);
    assert_true(scratch_has(&f->scratch, "a.1"));
    assert_true(scratch_has(&f->scratch, "a.3"));
}

/* Another output has one of the names: nothing at all is renamed. */
static void
expect_taken(struct fixture *f, int64_t number)
{
    put(f, "a", "new");
    put(f, "a.1", "one");
    put(f, "a.2", "two");
    assert_int_equal(rotate(f, "a"), -EEXIST);
    assert_int_equal(f->report.taken, number);
    expect(f, "a", "new");
    expect(f, "a.1", "one");
    expect(f, "a.2", "two");
    expect(f, "a.3", NULL);
}

static void
test_other_output_by_its_note(void **state)
{
    struct fixture *f = *state;
    int segments_fd = f->heritage.fds[HERITAGE_FD_SEGMENTS];
    assert_int_equal(output_note_write(segments_fd, "a.2", 0, false), 0);
    expect_taken(f, 2);
}

static void
test_other_output_by_its_ledger(void **state)
{
    struct fixture *f = *state;
    char ledger[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(ledger, SEGMENT_FILE, (struct bytes){"a.1", 3});
    int fd = openat(f->heritage.fds[HERITAGE_FD_SEGMENTS], ledger, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    expect_taken(f, 1);
}

/* The directory is reached through a link; the note has the name without it. */
static void
test_other_output_behind_a_link(void **state)
{
    struct fixture *f = *state;
    int root_fd = f->heritage.fds[HERITAGE_FD_ROOT];
    int segments_fd = f->heritage.fds[HERITAGE_FD_SEGMENTS];
    assert_int_equal(mkdirat(root_fd, "deep", 0700), 0);
    assert_int_equal(symlinkat("deep", root_fd, "link"), 0);
    put(f, "deep/a", "new");
    assert_int_equal(output_note_write(segments_fd, "deep/a.1", 0, false), 0);
    assert_int_equal(rotate(f, "link/a"), -EEXIST);
    assert_int_equal(rotate(f, "deep/a"), -EEXIST);
    assert_int_equal(output_note_write(segments_fd, "a.1", 0, false), 0);
    put(f, "deep/b", "new");
    assert_int_equal(rotate(f, "link/b"), 0);
    expect(f, "deep/b.1", "new");
}

static void
rotate_twice(void *context)
{
    struct fixture *f = context;
    put(f, "a.1", "old");
    put(f, "a", "new");
    assert_int_equal(rotate(f, "a"), 0);
    expect(f, "a.1", "new");
    expect(f, "a.2", "old");
}

/* NFS and FUSE answer so. */
static void
test_without_a_rename_that_replaces_nothing(void **state)
{
    try_where_refused(SYS_renameat2, EOPNOTSUPP, 4, RENAME_NOREPLACE, rotate_twice, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_period_begins),
        TEST(test_passes_over),
        TEST(test_without_a_rename_that_replaces_nothing),
        TEST(test_other_output_by_its_note),
        TEST(test_other_output_by_its_ledger),
        TEST(test_other_output_behind_a_link),
        cmocka_unit_test(test_due),
        TEST(test_numbers_move_up),
        TEST(test_gap),
        TEST(test_keeps_one),
        TEST(test_in_a_directory),
        TEST(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
