/* connection_test.c -- connections accepted from real sockets: who the client is, what is left
 * open, and that none is taken that cannot be kept. */
#include "worker/grpc/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

/* A listening socket, non-blocking as the master's are. *size is that of `address`, which receives
 * what it is bound to. */
static int
listen_at(union address *address, socklen_t *size)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (bind(fd, &address->any, *size) != 0) {
        (void)close(fd);
        skip(); /* no IPv6 here */
    }
    assert_int_equal(listen(fd, 4), 0);
    *size = sizeof(*address);
    assert_int_equal(getsockname(fd, &address->any, size), 0);
    return fd;
}

static int
listen_on_loopback(union address *address)
{
    socklen_t size = sizeof(address->in);
    *address = (union address){
        .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
    };
    return listen_at(address, &size);
}

static int
connect_to(const union address *address, socklen_t size)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &address->any, size), 0);
    return fd;
}

static in_port_t
own_port(int fd)
{
    union address address;
    socklen_t size = sizeof(address);
    assert_int_equal(getsockname(fd, &address.any, &size), 0);
    return ntohs(address.any.sa_family == AF_INET ? address.in.sin_port : address.in6.sin6_port);
}

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void
test_accepted_with_all_that_is_known(void **state)
{
    (void)state;
    union address address;
    int listener = listen_on_loopback(&address);
    int client = connect_to(&address, sizeof(address.in));
    struct connection *connection = NULL;
    assert_int_equal(connection_accept(&connection, listener, 4711), 0);
    assert_string_equal(connection->peer, "127.0.0.1");
    assert_int_equal(connection->peer_port, own_port(client));
    assert_int_equal(connection->since_ms, 4711);
    assert_true(list_is_empty(&connection->link));

    /* Two descriptors of one socket, which no child inherits. */
    struct stat status[2];
    assert_int_not_equal(connection->fd, connection->watch_fd);
    assert_int_equal(fstat(connection->fd, &status[0]), 0);
    assert_int_equal(fstat(connection->watch_fd, &status[1]), 0);
    assert_int_equal(status[0].st_ino, status[1].st_ino);
    assert_int_equal(fcntl(connection->fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(connection->watch_fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(connection->fd, F_GETFL) & O_NONBLOCK);
    int no_delay = 0;
    socklen_t size = sizeof(no_delay);
    assert_int_equal(getsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    assert_int_equal(no_delay, 1);

    connection_close(&connection);
    assert_null(connection);
    char byte;
    assert_int_equal(read(client, &byte, 1), 0); /* both are closed */
    (void)close(client);
    (void)close(listener);
}

static void
test_socket_is_given_away(void **state)
{
    (void)state;
    union address address;
    int listener = listen_on_loopback(&address);
    int client = connect_to(&address, sizeof(address.in));
    struct connection *connection = NULL;
    assert_int_equal(connection_accept(&connection, listener, 0), 0);
    int fd = connection_take_fd(connection);
    int watch_fd = connection->watch_fd;
    assert_int_equal(connection->fd, -1);
    connection_close(&connection);
    assert_true(is_open(fd));
    assert_false(is_open(watch_fd));
    (void)close(fd);
    (void)close(client);
    (void)close(listener);
}

static void
test_peers_of_other_families(void **state)
{
    (void)state;
    /* Without a name: the kernel chooses one. */
    union address address = {.un = {.sun_family = AF_UNIX}};
    socklen_t size = offsetof(struct sockaddr_un, sun_path);
    int listener = listen_at(&address, &size);
    int client = connect_to(&address, size);
    struct connection *connection = NULL;
    assert_int_equal(connection_accept(&connection, listener, 0), 0);
    assert_string_equal(connection->peer, "unix");
    assert_int_equal(connection->peer_port, 0);
    connection_close(&connection);
    (void)close(client);
    (void)close(listener);

    address = (union address){.in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
    size = sizeof(address.in6);
    listener = listen_at(&address, &size);
    client = connect_to(&address, size);
    assert_int_equal(connection_accept(&connection, listener, 0), 0);
    assert_string_equal(connection->peer, "::1");
    assert_int_equal(connection->peer_port, own_port(client));
    connection_close(&connection);
    (void)close(client);
    (void)close(listener);
}

static void
test_there_is_none(void **state)
{
    (void)state;
    union address address;
    int listener = listen_on_loopback(&address);
    struct connection *connection = NULL;
    int result = connection_accept(&connection, listener, 0);
    assert_int_equal(result, -EAGAIN);
    assert_false(connection_is_shortage(result));
    assert_null(connection);
    int next = dup(listener); /* nothing was left open: the lowest number is free again */
    assert_int_equal(next, listener + 1);
    (void)close(next);
    (void)close(listener);
}

/* With room for one descriptor more, and for none, the connection waits in the queue. */
static void
test_what_cannot_be_kept_is_not_taken(void **state)
{
    (void)state;
    union address address;
    struct rlimit before;
    int listener = listen_on_loopback(&address);
    int client = connect_to(&address, sizeof(address.in));
    struct connection *connection = NULL;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned room = 0; room < 2 + CONNECTION_FDS_RESERVED; room++) {
        struct rlimit limit = {(rlim_t)client + 1 + room, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        int result = connection_accept(&connection, listener, 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(result, -EMFILE);
        assert_true(connection_is_shortage(result));
        assert_null(connection);
        assert_false(is_open(client + 1));
    }
    assert_int_equal(connection_accept(&connection, listener, 0), 0);
    assert_int_equal(connection->peer_port, own_port(client));
    connection_close(&connection);
    connection_close(&connection); /* NULL-safe */
    (void)close(client);
    (void)close(listener);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_with_all_that_is_known),
        cmocka_unit_test(test_socket_is_given_away),
        cmocka_unit_test(test_peers_of_other_families),
        cmocka_unit_test(test_there_is_none),
        cmocka_unit_test(test_what_cannot_be_kept_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
