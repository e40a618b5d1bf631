/* admin_socket_test.c -- what can be an admin.address, and the socket that comes of it. */
#include "tests/unit/scratch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/complaint.h"
#include "common/settings.h"
#include "master/admin_socket.h"

static int
open_at(const char *address)
{
    char copy[256];
    int fd = -1;
    struct complaint complaint;
    (void)snprintf(copy, sizeof(copy), "%s", address);
    struct settings settings = {.admin_address = copy};
    assert_int_equal(admin_socket_open(&fd, &settings, &complaint), 0);
    return fd;
}

static void
close_at(int fd, const char *address)
{
    char copy[256];
    (void)snprintf(copy, sizeof(copy), "%s", address);
    struct settings settings = {.admin_address = copy};
    admin_socket_close(&fd, &settings);
    assert_int_equal(fd, -1);
    admin_socket_close(&fd, &settings);
}

static void
test_addresses(void **state)
{
    static const char *const good[] = {
        "", "127.0.0.1:9100", "0.0.0.0:0", "[::1]:65535", "[::]:9100", "/run/mygrpcadapter/admin"};
    static const char *const bad[] = {
        "9100",        ":9100",      "127.0.0.1",       "127.0.0.1:",
        "127.0.0.1:x", "::1:9100",   "127.0.0.1:65536", "localhost:1",
        "[::1]",       "[::1]:-1",   "[::1:1",          "run/admin",
        "[]:1",        "1.2.3:9100", "[127.0.0.1]:1",   "127.0.0.1: 1"};
    char longest[200];
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(admin_socket_refusal(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(admin_socket_refusal(bad[i]));
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = '\0';
    assert_non_null(admin_socket_refusal(longest));
    longest[sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1] = '\0';
    assert_null(admin_socket_refusal(longest));
}

static void
test_none_is_none(void **state)
{
    (void)state;
    assert_int_equal(open_at(""), -1);
}

static void
test_the_ipv6_wildcard_is_ipv4s_too(void **state)
{
    struct sockaddr_in6 bound;
    socklen_t size = sizeof(bound);
    (void)state;
    int fd = open_at("[::]:0");
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = bound.sin6_port};
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr), 1);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&peer, sizeof(peer)), 0);
    (void)close(client);
    close_at(fd, "[::]:0");
}

static void
test_a_socket_file_that_is_stale_is_replaced_and_nothing_else(void **state)
{
    const struct scratch *scratch = *state;
    char path[128];
    struct complaint complaint;
    int second = -1;
    (void)snprintf(path, sizeof(path), "%s/admin", scratch->path);
    int fd = open_at(path);
    struct settings settings = {.admin_address = path};
    assert_int_not_equal(admin_socket_open(&second, &settings, &complaint), 0); /* it is in use */
    assert_int_equal(second, -1);
    (void)close(fd); /* as a kill does: the file stays */
    assert_true(scratch_has(scratch, "admin"));
    fd = open_at(path);
    close_at(fd, path);
    assert_false(scratch_has(scratch, "admin"));
    scratch_put(scratch, "admin", "mine", 4);
    assert_int_not_equal(admin_socket_open(&second, &settings, &complaint), 0);
    scratch_expect(scratch, "admin", "mine");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_none_is_none),
        cmocka_unit_test(test_the_ipv6_wildcard_is_ipv4s_too),
        cmocka_unit_test_setup_teardown(
            test_a_socket_file_that_is_stale_is_replaced_and_nothing_else, scratch_setup,
            scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
