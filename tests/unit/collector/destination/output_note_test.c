/* output_note_test.c -- notes are found again, and go when nobody needs them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/destination/output_note.h"
#include "common/heritage.h"
#include "common/settings.h"
#include "tests/unit/scratch.h"

#define DAY_S 86400

struct fixture {
    struct scratch scratch;
    struct settings settings;
    struct heritage heritage;
    int segments_fd;
};

static int
set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    scratch_open(&f.scratch);
    assert_int_equal(mkdirat(f.scratch.fd, ".segments", 0700), 0);
    f.segments_fd = openat(f.scratch.fd, ".segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.segments_fd >= 0);
    f.settings.output_rotate_seconds = DAY_S;
    f.heritage.settings = &f.settings;
    f.heritage.fds[HERITAGE_FD_ROOT] = f.scratch.fd;
    f.heritage.fds[HERITAGE_FD_SEGMENTS] = f.segments_fd;
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    (void)close(f->segments_fd);
    scratch_close(&f->scratch);
    return 0;
}

/* The name of the only note there is; "" if there is none. */
static void
find_note(const struct fixture *f, char name[256])
{
    int fd = openat(f->segments_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fdopendir(fd);
    assert_non_null(directory);
    name[0] = '\0';
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (output_note_name_is(entry->d_name))
            (void)snprintf(name, 256, "%s", entry->d_name);
    }
    (void)closedir(directory);
}

static void
expect_note(const struct fixture *f, const char *name, int64_t expected_s)
{
    int64_t written_s = -1;
    assert_int_equal(output_note_read(f->segments_fd, name, &written_s), 0);
    assert_int_equal(written_s, expected_s);
}

static void
test_written_and_read(void **state)
{
    const struct fixture *f = *state;
    int64_t written_s;
    assert_int_equal(output_note_read(f->segments_fd, "a", &written_s), -ENOENT);
    assert_int_equal(output_note_write(f->segments_fd, "a", 7, false), 0);
    assert_int_equal(output_note_write(f->segments_fd, "deep/a", INT64_MAX, true), 0);
    expect_note(f, "a", 7);
    expect_note(f, "deep/a", INT64_MAX);
    assert_int_equal(output_note_write(f->segments_fd, "a", 8, true), 0);
    expect_note(f, "a", 8);
    assert_int_equal(output_note_is_output(f->segments_fd, "a"), 1);
    assert_int_equal(output_note_is_output(f->segments_fd, "b"), 0);
}

static void
test_names(void **state)
{
    const struct fixture *f = *state;
    char name[256];
    assert_int_equal(output_note_write(f->segments_fd, "a", 7, false), 0);
    find_note(f, name);
    assert_true(output_note_name_is(name));
    assert_false(output_note_name_is("note-"));
    assert_false(output_note_name_is("note-0123456789abcdef0123456789abcdeg"));
    assert_false(output_note_name_is("ledger-0123456789abcdef0123456789abcdef"));
    assert_false(output_note_name_is("note-0123456789abcdef0123456789abcdef0"));
}

/* Each byte of it counts; and what is cut short is none. */
static void
test_damage(void **state)
{
    const struct fixture *f = *state;
    char name[256];
    unsigned char bytes[128];
    int64_t written_s;
    assert_int_equal(output_note_write(f->segments_fd, "a", 7, false), 0);
    find_note(f, name);
    int fd = openat(f->segments_fd, name, O_RDWR | O_CLOEXEC);
    ssize_t size = pread(fd, bytes, sizeof(bytes), 0);
    assert_int_equal(size, 24 + 1 + 8);
    for (ssize_t i = 0; i < size; i++) {
        unsigned char wrong = bytes[i] ^ 0x10;
        assert_int_equal(pwrite(fd, &wrong, 1, i), 1);
        assert_int_equal(output_note_read(f->segments_fd, "a", &written_s), -ENOENT);
        assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
        expect_note(f, "a", 7);
    }
    assert_int_equal(ftruncate(fd, size - 1), 0);
    assert_int_equal(output_note_read(f->segments_fd, "a", &written_s), -ENOENT);
    output_note_tidy(&f->heritage, name, 7);
    assert_int_equal(output_note_is_output(f->segments_fd, "a"), 0);
    (void)close(fd);
}

static void
test_tidy_by_period(void **state)
{
    struct fixture *f = *state;
    char name[256];
    assert_int_equal(output_note_write(f->segments_fd, "a", DAY_S, false), 0);
    find_note(f, name);
    output_note_tidy(&f->heritage, name, 3 * DAY_S - 1); /* a period more */
    expect_note(f, "a", DAY_S);
    f->settings.output_rotate_seconds = 0; /* turned off: for as long as a period can be */
    output_note_tidy(&f->heritage, name, 300 * DAY_S);
    expect_note(f, "a", DAY_S);
    f->settings.output_rotate_seconds = DAY_S;
    output_note_tidy(&f->heritage, name, 3 * DAY_S);
    find_note(f, name);
    assert_string_equal(name, "");
}

/* That of an output with the name of a rotated file stays as long as the file. */
static void
test_tidy_by_file(void **state)
{
    const struct fixture *f = *state;
    char name[256];
    scratch_put(&f->scratch, "a.1", "text", 4);
    assert_int_equal(output_note_write(f->segments_fd, "a.1", 0, false), 0);
    find_note(f, name);
    output_note_tidy(&f->heritage, name, 300 * DAY_S);
    expect_note(f, "a.1", 0);
    assert_int_equal(unlinkat(f->scratch.fd, "a.1", 0), 0);
    output_note_tidy(&f->heritage, name, 300 * DAY_S);
    assert_int_equal(output_note_is_output(f->segments_fd, "a.1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_written_and_read), TEST(test_names),        TEST(test_damage),
        TEST(test_tidy_by_period),   TEST(test_tidy_by_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
