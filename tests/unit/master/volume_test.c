/* volume_test.c -- directories and the lock, on a real file system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/settings.h"
#include "base/complaint.h"
#include "master/volume.h"

#define PATH_BYTES 128

static char root[PATH_BYTES];
static char segments[PATH_BYTES + 32];

static struct settings
make_settings(void)
{
    return (struct settings){.output_root = root, .segments_directory = segments};
}

static int
make_root(void **state)
{
    (void)state;
    (void)strcpy(root, "/tmp/volume_test.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    (void)snprintf(segments, sizeof(segments), "%s/.mygrpcadapter", root);
    return 0;
}

static int
remove_root(void **state)
{
    char lock[PATH_BYTES + 64];
    (void)state;
    (void)snprintf(lock, sizeof(lock), "%s/lock", segments);
    (void)unlink(lock);
    (void)rmdir(segments);
    return rmdir(root);
}

static void
test_opens_creates_and_locks(void **state)
{
    (void)state;
    struct settings settings = make_settings();
    struct volume volume;
    struct complaint complaint;
    struct stat status;
    char pid[32] = "";
    assert_int_equal(volume_open(&volume, &settings, &complaint), 0);
    assert_int_equal(fstat(volume.segments_fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true((fcntl(volume.root_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(volume.segments_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(volume.lock_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(pread(volume.lock_fd, pid, sizeof(pid) - 1, 0) > 0);
    assert_int_equal(strtol(pid, NULL, 10), getpid());

    struct volume second;
    char expected[COMPLAINT_BYTES];
    assert_int_equal(volume_open(&second, &settings, &complaint), EX_TEMPFAIL);
    (void)snprintf(expected, sizeof(expected),
                   "segments.directory: \"%s\" is in use by another adapter, pid %ld", segments,
                   (long)getpid());
    assert_string_equal(complaint.text, expected);
    assert_int_equal(second.root_fd, -1);

    /* With a segment directory of its own it is refused all the same. */
    char other[PATH_BYTES + 64];
    (void)snprintf(other, sizeof(other), "%s.other", segments);
    struct settings aside = settings;
    aside.segments_directory = other;
    assert_int_equal(volume_open(&second, &aside, &complaint), EX_TEMPFAIL);
    (void)snprintf(expected, sizeof(expected),
                   "output.root: \"%s\" is in use by another adapter, pid %ld", root,
                   (long)getpid());
    assert_string_equal(complaint.text, expected);
    assert_int_equal(second.root_lock_fd, -1);
    (void)snprintf(other, sizeof(other), "%s.other/lock", segments);
    assert_int_equal(unlink(other), 0);
    (void)snprintf(other, sizeof(other), "%s.other", segments);
    assert_int_equal(rmdir(other), 0);

    volume_close(&volume);
    volume_close(&volume);
    assert_int_equal(volume_open(&volume, &settings, &complaint), 0);
    volume_close(&volume);
}

static void
assert_refused(const struct settings *settings, int exit_code, const char *beginning)
{
    struct volume volume;
    struct complaint complaint;
    assert_int_equal(volume_open(&volume, settings, &complaint), exit_code);
    assert_int_equal(strncmp(complaint.text, beginning, strlen(beginning)), 0);
    assert_int_equal(volume.root_fd, -1);
    assert_int_equal(volume.segments_fd, -1);
    assert_int_equal(volume.lock_fd, -1);
}

static void
test_refusals(void **state)
{
    (void)state;
    char missing[] = "/nonexistent/volume";
    char file[] = "/etc/passwd";
    struct settings settings = make_settings();
    settings.segments_directory = root;
    assert_refused(&settings, EX_CONFIG, "segments.directory: ");
    settings.segments_directory = missing;
    assert_refused(&settings, EX_CANTCREAT,
                   "segments.directory: cannot use \"/nonexistent/volume\": No such file");
    settings.output_root = missing;
    assert_refused(&settings, EX_CANTCREAT,
                   "output.root: cannot use \"/nonexistent/volume\": No such file");
    settings.output_root = file;
    assert_refused(&settings, EX_CANTCREAT,
                   "output.root: cannot use \"/etc/passwd\": Not a directory");
}

/* Somebody removes the lock file from under the adapter that holds it. */
static void
test_removed_lock(void **state)
{
    (void)state;
    struct settings settings = make_settings();
    struct volume volume;
    struct volume second;
    struct complaint complaint;
    char expected[COMPLAINT_BYTES];
    assert_int_equal(volume_open(&volume, &settings, &complaint), 0);
    assert_int_equal(unlinkat(volume.segments_fd, "lock", 0), 0);
    assert_int_equal(volume_open(&second, &settings, &complaint), EX_TEMPFAIL);
    (void)snprintf(expected, sizeof(expected),
                   "output.root: \"%s\" is in use by another adapter, pid %ld", root,
                   (long)getpid());
    assert_string_equal(complaint.text, expected);
    volume_close(&volume);
    assert_int_equal(volume_open(&volume, &settings, &complaint), 0);
    volume_close(&volume);
}

/* The same, and the second adapter has a root of its own: the collector of the first is there. */
static void
test_removed_lock_and_a_collector(void **state)
{
    (void)state;
    struct settings settings = make_settings();
    struct volume volume;
    struct complaint complaint;
    char expected[COMPLAINT_BYTES];
    assert_int_equal(volume_open(&volume, &settings, &complaint), 0);
    assert_int_equal(unlinkat(volume.segments_fd, "lock", 0), 0);
    int collector_fd = openat(volume.segments_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(collector_fd, LOCK_EX), 0);
    volume_close(&volume); /* as if it had another root */
    assert_int_equal(volume_open(&volume, &settings, &complaint), EX_TEMPFAIL);
    (void)snprintf(expected, sizeof(expected),
                   "segments.directory: \"%s\" is in use by another adapter, pid %ld", segments,
                   (long)getpid());
    assert_string_equal(complaint.text, expected);
    (void)close(collector_fd);
    assert_int_equal(volume_open(&volume, &settings, &complaint), 0);
    volume_close(&volume);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_opens_creates_and_locks, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_refusals, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_removed_lock, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_removed_lock_and_a_collector, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
