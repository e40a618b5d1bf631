/* file_rotation_test.c -- an output file is rotated once in a period, whatever the clock of its
 * file system says; a file of another output never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/destination/destination.h"
#include "collector/destination/output_note.h"
#include "common/heritage.h"
#include "common/settings.h"
#include "tests/unit/failing_calls.h"
#include "tests/unit/scratch.h"

#define YEAR_S (366 * 86400)

struct fixture {
    struct scratch scratch;
    struct settings settings;
    struct heritage heritage;
    struct destination *destination;
};

static void
open_output(struct fixture *f, const char *name)
{
    file_destination.close(&f->destination);
    assert_int_equal(file_destination.open(&f->destination, &f->heritage, name), 0);
}

static int
set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    scratch_open(&f.scratch);
    assert_int_equal(mkdirat(f.scratch.fd, ".segments", 0700), 0);
    f.settings.output_mode = 0640;
    f.settings.output_rotate_keep = 3;
    f.settings.output_rotate_seconds = YEAR_S;
    f.heritage.settings = &f.settings;
    f.heritage.fds[HERITAGE_FD_ROOT] = f.scratch.fd;
    f.heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f.scratch.fd, ".segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    open_output(&f, "a");
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    file_destination.close(&f->destination);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
    scratch_close(&f->scratch);
    return 0;
}

/* Writes a record to the output, as a batch does. */
static void
write_record(struct fixture *f, const char *text)
{
    struct ledger_mark mark;
    char copy[16];
    bool moved = false;
    (void)strcpy(copy, text);
    struct iovec record = {copy, strlen(copy)};
    assert_int_equal(file_destination.prepare(f->destination, &mark), 0);
    assert_int_equal(file_destination.deliver(f->destination, &record, 1, &moved), 0);
}

/* Sets the time of the file, as a file server with another clock does. */
static void
set_time(const struct fixture *f, int64_t offset_s)
{
    struct timespec times[2];
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
    times[0].tv_sec += offset_s;
    times[1] = times[0];
    assert_int_equal(utimensat(f->scratch.fd, "a", times, 0), 0);
}

/* The clock of the file server is behind; in one process, and after a restart of each. */
static void
test_clock_behind(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++) {
        write_record(f, "x");
        set_time(f, -2 * YEAR_S);
        if (i >= 3)
            open_output(f, "a");
    }
    scratch_expect(&f->scratch, "a", "xxxxxx");
    assert_false(scratch_has(&f->scratch, "a.1"));
}

static void
test_clock_ahead(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->scratch, "a", "old", 3);
    set_time(f, 2 * YEAR_S);
    write_record(f, "x");
    scratch_expect(&f->scratch, "a", "oldx");
}

/* Of a file that nobody has noted anything of, its time says when it was written. */
static void
test_old_file_without_a_note(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->scratch, "a", "old", 3);
    set_time(f, -2 * YEAR_S);
    write_record(f, "x");
    set_time(f, -2 * YEAR_S);
    open_output(f, "a");
    write_record(f, "y");
    scratch_expect(&f->scratch, "a", "xy");
    scratch_expect(&f->scratch, "a.1", "old");
    assert_false(scratch_has(&f->scratch, "a.2"));
}

/* Our own last write was in an earlier period, though the file looks new. */
static void
test_period_is_over(void **state)
{
    struct fixture *f = *state;
    write_record(f, "x");
    assert_int_equal(
        output_note_write(f->heritage.fds[HERITAGE_FD_SEGMENTS], "a", time(NULL) - YEAR_S, false),
        0);
    open_output(f, "a");
    write_record(f, "y");
    write_record(f, "z");
    scratch_expect(&f->scratch, "a", "yz");
    scratch_expect(&f->scratch, "a.1", "x");
}

/* Rotation is turned on though outputs have names of rotated files, one of them through a link. */
static void
test_turned_on_later(void **state)
{
    struct fixture *f = *state;
    f->settings.output_rotate_seconds = 0;
    write_record(f, "x");
    open_output(f, "a.1");
    write_record(f, "one");
    f->settings.output_rotate_bytes = 1;
    open_output(f, "a");
    write_record(f, "y");
    write_record(f, "z");
    scratch_expect(&f->scratch, "a", "xyz");
    scratch_expect(&f->scratch, "a.1", "one");
}

static void
test_link_to_a_rotated_name(void **state)
{
    struct fixture *f = *state;
    f->settings.output_rotate_seconds = 0;
    scratch_put(&f->scratch, "a.1", "", 0);
    assert_int_equal(symlinkat("a.1", f->scratch.fd, "link"), 0);
    write_record(f, "x");
    open_output(f, "link");
    write_record(f, "one");
    f->settings.output_rotate_bytes = 1;
    open_output(f, "a");
    write_record(f, "y");
    scratch_expect(&f->scratch, "a", "xy");
    scratch_expect(&f->scratch, "a.1", "one");
}

/* What could not be noted is noted with the next batch, before anything is written. */
static void
test_a_note_that_failed_is_written_again(void **state)
{
    struct fixture *f = *state;
    struct ledger_mark mark;
    int64_t written_s;
    f->settings.output_rotate_seconds = 0; /* it is turned on later */
    open_output(f, "a.1");
    failing = (struct failing_call){.call = "openat", .file = "note-", .error = EIO, .times = 1};
    assert_int_equal(file_destination.prepare(f->destination, &mark), -EIO);
    assert_int_equal(failing.failed, 1);
    assert_int_equal(file_destination.prepare(f->destination, &mark), 0);
    assert_int_equal(output_note_read(f->heritage.fds[HERITAGE_FD_SEGMENTS], "a.1", &written_s), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_note_that_failed_is_written_again),
        TEST(test_clock_behind),
        TEST(test_clock_ahead),
        TEST(test_old_file_without_a_note),
        TEST(test_period_is_over),
        TEST(test_turned_on_later),
        TEST(test_link_to_a_rotated_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
