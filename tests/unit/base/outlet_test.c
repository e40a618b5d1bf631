/* outlet_test.c -- an outlet never waits, whatever its descriptor is, and leaves that as it was for
 * others. */
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/outlet.h"

#define PART_BYTES 1000

/* Writes until there is no room. Returns how many bytes were taken. */
static size_t
fill(const struct outlet *outlet)
{
    static char bytes[PART_BYTES];
    const struct iovec part = {bytes, sizeof(bytes)};
    size_t taken = 0;
    ssize_t written;
    while ((written = outlet_write(outlet, &part, 1)) > 0)
        taken += (size_t)written;
    assert_int_equal(written, -EAGAIN);
    return taken;
}

static void
check_end(int reader, int writer)
{
    static char bytes[65536];
    struct outlet outlet;
    outlet_open(&outlet, writer);
    size_t taken = fill(&outlet);
    assert_true(taken > 0);
    assert_int_equal(fcntl(writer, F_GETFL) & O_NONBLOCK, 0);
    for (size_t got = 0; got < taken;) {
        ssize_t size = read(reader, bytes, sizeof(bytes));
        assert_true(size > 0);
        got += (size_t)size;
    }
    const struct iovec parts[] = {{bytes, 1}, {bytes, 2}};
    assert_int_equal(outlet_write(&outlet, parts, 2), 3);
    outlet_close(&outlet);
    /* Without a description of its own it asks first. */
    assert_int_equal(read(reader, bytes, sizeof(bytes)), 3);
    assert_int_equal(outlet_write(&outlet, parts, 2), 3);
    (void)close(reader);
    (void)close(writer);
}

static void
test_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    check_end(ends[0], ends[1]);
}

static void
test_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_end(ends[0], ends[1]);
}

static void
test_pipe_that_cannot_be_opened_again(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct outlet outlet = OUTLET_CLOSED(ends[1]);
    assert_true(fill(&outlet) > 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
test_closed_descriptor(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    struct outlet outlet;
    char byte = 'x';
    const struct iovec part = {&byte, 1};
    outlet_open(&outlet, ends[1]);
    assert_int_equal(outlet_write(&outlet, &part, 1), -EBADF);
    outlet_close(&outlet);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_pipe_that_cannot_be_opened_again),
        cmocka_unit_test(test_closed_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
