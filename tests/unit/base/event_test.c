/* event_test.c -- an event that is posted is there to be read, however many came before it. */
#include "tests/unit/scratch.h"

#include <sys/eventfd.h>

#include "base/event.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_is_posted_even_when_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
