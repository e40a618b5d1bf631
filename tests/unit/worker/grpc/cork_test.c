/* cork_test.c -- the option on real sockets of the loopback: who has it when, and that nobody keeps
 * it. */
#include "worker/grpc/cork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 3

struct fixture {
    int ours[CONNECTIONS];
    int theirs[CONNECTIONS];
    struct cork *cork;
};

static struct fixture fixture;

static void
connect_pair(int *ours, int *theirs)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*theirs, (struct sockaddr *)&address, size), 0);
    *ours = accept(listener, NULL, NULL);
    assert_true(*ours >= 0);
    (void)close(listener);
}

static int
setup(void **state)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        connect_pair(&fixture.ours[i], &fixture.theirs[i]);
    assert_int_equal(cork_open(&fixture.cork, 2), 0);
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    cork_close(&f->cork);
    assert_null(f->cork);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        (void)close(f->ours[i]);
        (void)close(f->theirs[i]);
    }
    return 0;
}

static int
has_option(int fd)
{
    int on = -1;
    socklen_t size = sizeof(on);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, &size), 0);
    return on;
}

static void
test_all_connections_have_it_or_none(void **state)
{
    struct fixture *f = *state;
    cork_add(f->cork, f->ours[0]);
    cork_add(f->cork, f->ours[1]);
    assert_int_equal(cork_connections(f->cork), 2);
    for (int again = 0; again < 2; again++) {
        cork_put(f->cork);
        assert_true(cork_is_in(f->cork));
        assert_int_equal(has_option(f->ours[0]), 1);
        assert_int_equal(has_option(f->ours[1]), 1);
        assert_int_equal(has_option(f->ours[2]), 0);
        cork_pull(f->cork);
        assert_false(cork_is_in(f->cork));
        assert_int_equal(has_option(f->ours[0]), 0);
        assert_int_equal(has_option(f->ours[1]), 0);
    }
}

static void
test_what_was_written_leaves_when_it_is_pulled(void **state)
{
    struct fixture *f = *state;
    char received[8];
    cork_add(f->cork, f->ours[0]);
    cork_put(f->cork);
    assert_int_equal(send(f->ours[0], "abc", 3, 0), 3);
    assert_int_equal(send(f->ours[0], "de", 2, 0), 2);
    cork_pull(f->cork);
    struct pollfd readable = {.fd = f->theirs[0], .events = POLLIN};
    assert_int_equal(poll(&readable, 1, -1), 1);
    assert_int_equal(recv(f->theirs[0], received, sizeof(received), 0), 5);
    assert_memory_equal(received, "abcde", 5);
}

static void
test_one_that_is_removed_does_not_keep_it(void **state)
{
    struct fixture *f = *state;
    cork_add(f->cork, f->ours[0]);
    cork_add(f->cork, f->ours[1]);
    cork_put(f->cork);
    cork_remove(f->cork, f->ours[0]);
    assert_int_equal(cork_connections(f->cork), 1);
    assert_int_equal(has_option(f->ours[0]), 0);
    assert_int_equal(has_option(f->ours[1]), 1);
    cork_pull(f->cork);
    assert_int_equal(has_option(f->ours[1]), 0);
    cork_put(f->cork);
    assert_int_equal(has_option(f->ours[0]), 0);
}

static void
test_one_too_many_is_left_alone(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < CONNECTIONS; i++)
        cork_add(f->cork, f->ours[i]);
    assert_int_equal(cork_connections(f->cork), 2);
    cork_put(f->cork);
    assert_int_equal(has_option(f->ours[2]), 0);
    cork_remove(f->cork, f->ours[2]);
    assert_int_equal(cork_connections(f->cork), 2);
}

static void
test_one_that_comes_while_it_is_in_is_not_corked(void **state)
{
    struct fixture *f = *state;
    cork_add(f->cork, f->ours[0]);
    cork_put(f->cork);
    cork_add(f->cork, f->ours[1]);
    assert_int_equal(has_option(f->ours[1]), 0);
    cork_pull(f->cork);
    assert_int_equal(has_option(f->ours[0]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_connections_have_it_or_none),
        TEST(test_what_was_written_leaves_when_it_is_pulled),
        TEST(test_one_that_is_removed_does_not_keep_it),
        TEST(test_one_too_many_is_left_alone),
        TEST(test_one_that_comes_while_it_is_in_is_not_corked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
