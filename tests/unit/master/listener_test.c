/* listener_test.c -- real sockets on the loopback. */
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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/complaint.h"
#include "common/settings.h"
#include "master/listener.h"

static struct listener *
open_well(char *address, int64_t port)
{
    struct settings settings = {
        .listen_address = address, .listen_port = port, .listen_backlog = 16};
    struct complaint complaint = {.text = ""};
    struct listener *listener = NULL;
    int result = listener_open(&listener, &settings, &complaint);
    assert_string_equal(complaint.text, "");
    assert_int_equal(result, 0);
    return listener;
}

static uint16_t
port_of(const struct listener *listener)
{
    return (uint16_t)strtol(strrchr(listener_name(listener), ':') + 1, NULL, 10);
}

static int
option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

/* A connection over IPv4; the accepted end is returned. */
static int
connect_and_accept(const struct listener *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port_of(listener))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    int server = accept4(listener_fd(listener), NULL, NULL, SOCK_CLOEXEC);
    assert_true(server >= 0);
    (void)close(client);
    return server;
}

static void
test_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"[::]",      "::",      "::1",          "[::1]",
                                       "127.0.0.1", "0.0.0.0", "[2001:db8::5]"};
    static const char *const bad[] = {
        "", "localhost", "[127.0.0.1]", "1.2.3", "[::", "::]", "[]", "::1%lo", "*", "127.0.0.1:80"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(listener_address_is_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(listener_address_is_valid(bad[i]));
}

static void
test_wildcard_takes_ipv4(void **state)
{
    (void)state;
    char address[] = "[::]";
    struct listener *listener = open_well(address, 0);
    assert_true(port_of(listener) > 0);
    /* Where IPv6 is off, the other name is the right one. */
    assert_true(strncmp(listener_name(listener), "[::]:", 5) == 0 ||
                strncmp(listener_name(listener), "0.0.0.0:", 8) == 0);
    (void)close(connect_and_accept(listener));
    listener_close(&listener);
    assert_null(listener);
    listener_close(&listener);
}

static void
test_options(void **state)
{
    (void)state;
    char address[] = "127.0.0.1";
    struct listener *listener = open_well(address, 0);
    int fd = listener_fd(listener);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(accept(fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    int accepted = connect_and_accept(listener);
    assert_int_equal(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPCNT), 6);
    (void)close(accepted);
    listener_close(&listener);
}

static void
test_in_use_is_retried_then_told(void **state)
{
    (void)state;
    char address[] = "127.0.0.1";
    struct listener *holder = open_well(address, 0);
    struct settings settings = {
        .listen_address = address, .listen_port = port_of(holder), .listen_backlog = 16};
    struct listener *listener = NULL;
    struct complaint complaint;
    char expected[128];
    uint64_t begin_ms = clock_monotonic_ms();
    assert_int_equal(listener_open(&listener, &settings, &complaint), EX_UNAVAILABLE);
    assert_in_range(clock_monotonic_ms() - begin_ms, 2000, 10000);
    (void)snprintf(expected, sizeof(expected), "cannot listen on \"%s\": Address already in use",
                   listener_name(holder));
    assert_string_equal(complaint.text, expected);
    assert_null(listener);
    listener_close(&holder);
}

static void
test_other_refusals(void **state)
{
    (void)state;
    char foreign[] = "192.0.2.1"; /* TEST-NET-1: of no machine */
    char name[] = "localhost";
    struct settings settings = {.listen_address = foreign, .listen_port = 1, .listen_backlog = 1};
    struct listener *listener = NULL;
    struct complaint complaint;
    assert_int_equal(listener_open(&listener, &settings, &complaint), EX_UNAVAILABLE);
    assert_string_equal(complaint.text,
                        "cannot listen on \"192.0.2.1:1\": Cannot assign requested address");
    settings.listen_address = name;
    assert_int_equal(listener_open(&listener, &settings, &complaint), EX_CONFIG);
}

/* A socket that somebody else bound becomes one like our own. */
static void
test_adopted(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    struct settings settings = {
        .listen_address = bytes_unconst("127.0.0.1"), .listen_port = 0, .listen_backlog = 16};
    struct complaint complaint = {.text = ""};
    struct listener *listener = NULL;
    assert_int_equal(listener_adopt(&listener, fd, &settings, &complaint), 0);
    assert_int_equal(listener_fd(listener), fd);
    assert_memory_equal(listener_name(listener), "127.0.0.1:", 10);
    assert_true(port_of(listener) > 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    int server = connect_and_accept(listener);
    assert_int_equal(option_of(server, SOL_SOCKET, SO_KEEPALIVE), 1);
    (void)close(server);
    listener_close(&listener);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_wildcard_takes_ipv4),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_in_use_is_retried_then_told),
        cmocka_unit_test(test_other_refusals), cmocka_unit_test(test_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
