/* channel_test.c -- each channel has a connection of its own, over TCP and over a socket of the
 * file system. */
#include "tests/unit/scratch.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <grpc/support/time.h>

#include "commands/channel.h"

/* How long a connection may take. */
#define PATIENCE_MS 10000

/* A connection comes within so long, if it comes at all. */
#define NONE_MS 200

static bool
is_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* Opens two channels to the address, has them connect, and counts what comes to the listening
 * socket. */
static void
assert_a_connection_each(const char *address, int listener)
{
    grpc_channel *channels[] = {channel_open(address), channel_open(address)};
    int connections[2];
    for (size_t i = 0; i < 2; i++)
        (void)grpc_channel_check_connectivity_state(channels[i], 1);
    for (size_t i = 0; i < 2; i++) {
        assert_true(is_readable(listener, PATIENCE_MS));
        connections[i] = accept(listener, NULL, NULL);
        assert_true(connections[i] >= 0);
    }
    assert_false(is_readable(listener, NONE_MS));
    for (size_t i = 0; i < 2; i++) {
        (void)close(connections[i]);
        grpc_channel_destroy(channels[i]);
    }
}

static void
test_tcp(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    char address[64];
    (void)snprintf(address, sizeof(address), "localhost:%d", ntohs(at.sin_port));
    assert_a_connection_each(address, listener);
    (void)close(listener);
}

static void
test_socket_of_the_file_system(void **state)
{
    const struct scratch *scratch = *state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", scratch->path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    char address[128];
    (void)snprintf(address, sizeof(address), "unix://%s", at.sun_path);
    assert_a_connection_each(address, listener);
    (void)close(listener);
}

/* What a person has set stays. */
static void
test_environment(void **state)
{
    (void)state;
    assert_string_equal(getenv("GRPC_VERBOSITY"), "ERROR");
    assert_string_equal(getenv("GRPC_DNS_RESOLVER"), "native");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test_setup_teardown(test_socket_of_the_file_system, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_environment),
    };
    (void)setenv("GRPC_VERBOSITY", "ERROR", 1);
    (void)unsetenv("GRPC_DNS_RESOLVER");
    channel_set_up_grpc();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    grpc_shutdown();
    return failed;
}
