/* service_manager_test.c -- which passed sockets are taken, and what the service manager is
 * told. */
#include "tests/unit/scratch.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "master/service_manager.h"

/* Where passed descriptors begin, by sd_listen_fds(3). */
#define PASSED_FD 3

/* A service manager's end of NOTIFY_SOCKET. */
struct manager {
    struct scratch scratch;
    int fd;
};

static int
setup(void **state)
{
    struct manager *manager = calloc(1, sizeof(*manager));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_non_null(manager);
    /* Nothing else of this test comes to stand where descriptors are passed. */
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(fd, PASSED_FD), PASSED_FD);
    assert_int_equal(dup2(fd, PASSED_FD + 1), PASSED_FD + 1);
    scratch_open(&manager->scratch);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", manager->scratch.path);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager->fd >= 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    *state = manager;
    return 0;
}

static int
teardown(void **state)
{
    struct manager *manager = *state;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_PID");
    (void)close(PASSED_FD);
    (void)close(PASSED_FD + 1);
    (void)close(manager->fd);
    scratch_close(&manager->scratch);
    free(manager);
    return 0;
}

/* Has the environment say that so many descriptors were passed. */
static void
pass(const char *count)
{
    char pid[24];
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", count, 1), 0);
}

/* Puts a socket at the passed descriptor. */
static void
pass_socket(int type, bool listening)
{
    const struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(dup2(fd, PASSED_FD), PASSED_FD);
    (void)close(fd);
    pass("1");
}

static void
assert_refused(const char *beginning)
{
    int fd = 0;
    struct complaint complaint;
    assert_int_equal(service_manager_socket(&fd, &complaint), EX_USAGE);
    assert_int_equal(strncmp(complaint.text, beginning, strlen(beginning)), 0);
    assert_int_equal(fd, -1);
}

static void
test_no_socket_was_passed(void **state)
{
    (void)state;
    int fd = 0;
    struct complaint complaint;
    assert_int_equal(service_manager_socket(&fd, &complaint), 0);
    assert_int_equal(fd, -1);

    /* Or to somebody else. */
    assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
    assert_int_equal(service_manager_socket(&fd, &complaint), 0);
    assert_int_equal(fd, -1);
}

static void
test_a_listening_socket_is_taken_once(void **state)
{
    (void)state;
    int fd = 0;
    struct complaint complaint;
    pass_socket(SOCK_STREAM, true);
    assert_int_equal(service_manager_socket(&fd, &complaint), 0);
    assert_int_equal(fd, PASSED_FD);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(service_manager_socket(&fd, &complaint), 0);
    assert_int_equal(fd, -1);
}

static void
test_anything_else_is_refused(void **state)
{
    (void)state;
    pass_socket(SOCK_STREAM, false);
    assert_refused("the socket that was passed (LISTEN_FDS) is not a listening TCP socket");
    pass_socket(SOCK_DGRAM, false);
    assert_refused("the socket that was passed (LISTEN_FDS) is not a listening TCP socket");
    pass_socket(SOCK_STREAM, true);
    pass("2");
    assert_int_equal(dup2(PASSED_FD, PASSED_FD + 1), PASSED_FD + 1);
    assert_refused("2 sockets were passed (LISTEN_FDS); one is expected");
    pass("two");
    assert_refused("LISTEN_FDS cannot be understood: Invalid argument");
}

/* Expects that the service manager has been told just this. */
static void
expect_told(const struct manager *manager, const char *expected)
{
    char told[1024];
    ssize_t size = recv(manager->fd, told, sizeof(told) - 1, 0);
    assert_true(size >= 0);
    told[size] = '\0';
    assert_string_equal(told, expected);
    assert_int_equal(recv(manager->fd, told, sizeof(told), 0), -1);
}

static void
test_what_is_told(void **state)
{
    const struct manager *manager = *state;
    char expected[64];
    service_manager_tell_ready();
    (void)snprintf(expected, sizeof(expected), "READY=1\nMAINPID=%ld", (long)getpid());
    expect_told(manager, expected);
    service_manager_tell_stopping();
    expect_told(manager, "STOPPING=1");
    service_manager_tell_status("%d of %d", 1, 2);
    expect_told(manager, "STATUS=1 of 2");
}

static void
test_a_reload_tells_when_it_began(void **state)
{
    const struct manager *manager = *state;
    char told[128] = "";
    uint64_t usec = 0;
    uint64_t before = clock_monotonic_ns() / 1000;
    service_manager_tell_reloading();
    uint64_t after = clock_monotonic_ns() / 1000;
    assert_true(recv(manager->fd, told, sizeof(told) - 1, 0) > 0);
    assert_int_equal(sscanf(told, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &usec), 1);
    assert_true(usec >= before && usec <= after);
}

static void
test_a_long_status_is_cut(void **state)
{
    const struct manager *manager = *state;
    char long_text[600];
    char expected[600] = "STATUS=";
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    service_manager_tell_status("%s", long_text);
    memset(expected + strlen(expected), 'x', 255);
    expect_told(manager, expected);
}

static void
test_without_a_service_manager_nothing_is_told(void **state)
{
    const struct manager *manager = *state;
    char byte;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    service_manager_tell_ready();
    assert_int_equal(recv(manager->fd, &byte, 1, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_socket_was_passed),
        TEST(test_a_listening_socket_is_taken_once),
        TEST(test_anything_else_is_refused),
        TEST(test_what_is_told),
        TEST(test_a_reload_tells_when_it_began),
        TEST(test_a_long_status_is_cut),
        TEST(test_without_a_service_manager_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
