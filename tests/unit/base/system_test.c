/* system_test.c -- directory, event, complaint, clock: small calls that many make. */
#include "tests/unit/scratch.h"

#include <dirent.h>

#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/directory.h"
#include "base/event.h"

#define FILES 300

static int
count_files(void *context, const struct dirent *entry)
{
    size_t *count = context;
    if (entry->d_name[0] == 'f')
        (*count)++;
    return 0;
}

static int
stop_at_file(void *context, const struct dirent *entry)
{
    (void)context;
    return entry->d_name[0] == 'f' ? -EPROTO : 0;
}

static void
test_reads_all_from_the_beginning(void **state)
{
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "f%d", i);
        int fd = openat(scratch.fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    for (int round = 0; round < 2; round++) {
        size_t count = 0;
        assert_int_equal(directory_read(scratch.fd, ".", count_files, &count), 0);
        assert_int_equal(count, FILES);
    }
    assert_int_equal(directory_read(scratch.fd, ".", stop_at_file, NULL), -EPROTO);
    assert_int_equal(directory_read(scratch.fd, "missing", count_files, NULL), -ENOENT);
    assert_int_equal(directory_read(scratch.fd, "f0", count_files, NULL), -ENOTDIR);
    assert_int_equal(symlinkat(".", scratch.fd, "link"), 0);
    assert_int_equal(directory_read(scratch.fd, "link", count_files, NULL), -ENOTDIR);
    scratch_close(&scratch);
}

static void
test_an_event_is_posted_even_when_full(void **state)
{
    (void)state;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fd >= 0);
    uint64_t value = UINT64_MAX - 1;
    assert_int_equal(write(fd, &value, sizeof(value)), sizeof(value));
    errno = E2BIG;
    event_post(fd);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
    event_post(fd);
    event_post(fd);
    assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
    assert_int_equal(value, 2);
    (void)close(fd);
}

static void
test_a_complaint_is_one_line(void **state)
{
    (void)state;
    struct complaint complaint;
    assert_int_equal(complain(&complaint, 78, "%s: %d", "a\nb\x7f\x1b", 3), 78);
    assert_int_equal(complaint.exit_code, 78);
    assert_string_equal(complaint.text, "a?b??: 3");
    char large[COMPLAINT_BYTES * 2];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(complain(&complaint, 64, "%s", large), 64);
    assert_int_equal(strlen(complaint.text), COMPLAINT_BYTES - 1);
}

/* Each clock is the kernel's of that name, in its unit. */
static void
test_clocks(void **state)
{
    (void)state;
    struct timespec monotonic;
    struct timespec real;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &monotonic), 0);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &real), 0);
    uint64_t ms = clock_monotonic_ms();
    uint64_t ns = clock_monotonic_ns();
    uint64_t since_epoch_ns = clock_realtime_ns();
    uint64_t before_ns = (uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec;
    assert_true(ns >= before_ns && ns - before_ns < UINT64_C(60000000000));
    assert_true(ms >= before_ns / 1000000 && ms <= ns / 1000000);
    uint64_t real_s = since_epoch_ns / 1000000000;
    assert_true(real_s >= (uint64_t)real.tv_sec && real_s < (uint64_t)real.tv_sec + 60);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all_from_the_beginning),
        cmocka_unit_test(test_an_event_is_posted_even_when_full),
        cmocka_unit_test(test_a_complaint_is_one_line),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
