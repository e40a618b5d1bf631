/* acceptor_test.c -- the acceptor's thread between real sockets, signals and eventfds, and a server
 * that only notes what it is told. */
#include "worker/grpc/acceptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/connection.h"
#include "worker/grpc/server.h"

#define WORKERS 2
#define TIMEOUT_MS 15000

/* In place of worker/grpc/server.c. Written in the acceptor's thread, read in the test's. */
struct server {
    _Atomic int added;
    _Atomic int forgotten;
    _Atomic int fd; /* of the connection that was added last */
    _Atomic uint64_t drain_deadline_ms;
    _Atomic uint64_t retire_deadline_ms;
    _Atomic int finished;
};

struct fixture {
    struct settings settings;
    struct heritage heritage;
    struct scoreboard *scoreboard;
    int turn_fds[WORKERS];
    int life_fds[2];
    struct sockaddr_in address;
    int signal_fd;
    struct server server;
    struct acceptor *acceptor;
};

static struct fixture fixture;

void
server_add_connection(struct server *server, struct connection *connection)
{
    server->fd = connection_take_fd(connection);
    server->added++;
}

void
server_forget_connection(struct server *server, const struct connection *connection)
{
    (void)connection;
    server->forgotten++;
}

void
server_drain(struct server *server, uint64_t deadline_ms)
{
    server->drain_deadline_ms = deadline_ms;
}

void
server_retire(struct server *server, uint64_t deadline_ms)
{
    server->retire_deadline_ms = deadline_ms;
}

void
server_finish(struct server *server)
{
    server->finished++;
}

/* ---- the fixture */

static int
listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

static int
open_signal_fd(void)
{
    sigset_t handled;
    (void)sigemptyset(&handled);
    (void)sigaddset(&handled, SIGTERM);
    (void)sigaddset(&handled, SIGINT);
    assert_int_equal(sigprocmask(SIG_BLOCK, &handled, NULL), 0);
    return signalfd(-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
setup(void **state)
{
    struct fixture *f = &fixture;
    memset(f, 0, sizeof(*f));
    f->settings.workers_max_connections = 8;
    f->settings.workers_drain_timeout_ms = TIMEOUT_MS;
    assert_int_equal(scoreboard_open(&f->scoreboard, WORKERS), 0);
    assert_int_equal(pipe(f->life_fds), 0);
    for (size_t i = 0; i < WORKERS; i++)
        f->turn_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->heritage = (struct heritage){
        .settings = &f->settings,
        .scoreboard = f->scoreboard,
        .master_pid = getppid(),
        .worker_count = WORKERS,
        .fds = {[HERITAGE_FD_LISTENER] = listen_on_loopback(&f->address),
                [HERITAGE_FD_LIFE] = f->life_fds[0]},
        .turn_fds = f->turn_fds,
    };
    int signal_fd = open_signal_fd();
    assert_int_equal(acceptor_start(&f->acceptor, &f->heritage, &f->server, signal_fd), 0);
    *state = f;
    return 0;
}

/* The listening socket of a worker that drains has been closed. */
static int
teardown(void **state)
{
    struct fixture *f = *state;
    bool drained = f->server.drain_deadline_ms != 0 || f->server.retire_deadline_ms != 0;
    acceptor_stop(&f->acceptor);
    assert_null(f->acceptor);
    assert_int_equal(f->server.forgotten, f->server.added);
    assert_int_equal(f->scoreboard->slots[0].connections, 0);
    if (!drained)
        (void)close(f->heritage.fds[HERITAGE_FD_LISTENER]);
    for (size_t i = 0; i < WORKERS; i++)
        (void)close(f->turn_fds[i]);
    (void)close(f->life_fds[0]);
    if (f->life_fds[1] >= 0)
        (void)close(f->life_fds[1]);
    scoreboard_close(&f->scoreboard);
    return 0;
}

static void
sleep_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* Waits until a number of the server's, or the scoreboard's, is what it should be. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int waited = 0; !(condition) && waited < 5000; waited++)                              \
            sleep_ms(1);                                                                           \
        assert_true(condition);                                                                    \
    } while (0)

/* Opens a connection to a worker whose main loop has just turned. */
static int
dial(struct fixture *f)
{
    f->scoreboard->slots[0].heartbeat++;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), 0);
    return fd;
}

/* Dials, and waits until the connection is the server's. */
static int
dial_and_wait(struct fixture *f)
{
    int before = f->server.added;
    int fd = dial(f);
    WAIT_FOR(f->server.added == before + 1);
    return fd;
}

/* Has the other worker be willing, and have more connections: it takes one when this worker does
 * not. */
static void
make_sibling_willing(struct fixture *f)
{
    f->scoreboard->slots[1].connections = 100;
    f->scoreboard->slots[1].willing_until_ms = clock_monotonic_ms() + 60000;
}

/* ---- */

static void
test_a_connection_comes_and_ends(void **state)
{
    struct fixture *f = *state;
    int client = dial_and_wait(f);
    assert_int_equal(f->scoreboard->slots[0].connections, 1);
    assert_int_equal(tally_get(&f->scoreboard->slots[0].worker.accepted), 1);
    /* What the server got is the other end. */
    char byte = 0;
    assert_int_equal(send(client, "x", 1, 0), 1);
    struct pollfd readable = {.fd = f->server.fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 5000), 1);
    assert_int_equal(recv(f->server.fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    (void)close(client);
    WAIT_FOR(f->server.forgotten == 1);
    WAIT_FOR(f->scoreboard->slots[0].connections == 0);
    (void)close(f->server.fd);
    assert_int_equal(f->server.finished, 0);
}

static void
test_not_its_turn(void **state)
{
    struct fixture *f = *state;
    make_sibling_willing(f);
    f->scoreboard->slots[1].connections = 0;
    int first = dial_and_wait(f); /* both have none: the lower slot's turn */
    int second = dial(f);
    struct pollfd told = {.fd = f->turn_fds[1], .events = POLLIN};
    assert_int_equal(poll(&told, 1, 5000), 1); /* the turn was passed on */
    sleep_ms(20);
    assert_int_equal(f->server.added, 1);
    /* The other one took it, and says so. */
    f->scoreboard->slots[1].connections = 2;
    assert_int_equal(eventfd_write(f->turn_fds[0], 1), 0);
    WAIT_FOR(f->server.added == 2);
    (void)close(first);
    (void)close(second);
    WAIT_FOR(f->server.forgotten == 2);
}

static void
test_asked_to_stop(void **state)
{
    struct fixture *f = *state;
    make_sibling_willing(f);
    int client = dial_and_wait(f);
    uint64_t before_ms = clock_monotonic_ms();
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    WAIT_FOR(f->server.drain_deadline_ms != 0);
    assert_in_range(f->server.drain_deadline_ms, before_ms + TIMEOUT_MS,
                    clock_monotonic_ms() + TIMEOUT_MS);
    assert_int_equal(f->scoreboard->slots[0].willing_until_ms, 0);
    assert_int_equal(f->server.finished, 0);
    (void)close(client);
    WAIT_FOR(f->server.finished == 1);
    sleep_ms(250); /* a tick later it is not told again */
    assert_int_equal(f->server.finished, 1);
    assert_int_equal(f->server.retire_deadline_ms, 0);
}

static void
test_asked_to_stop_without_connections(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(kill(getpid(), SIGINT), 0);
    WAIT_FOR(f->server.finished == 1);
    assert_int_not_equal(f->server.drain_deadline_ms, 0);
}

static void
test_replaced_waits_for_its_siblings(void **state)
{
    struct fixture *f = *state;
    make_sibling_willing(f);
    int client = dial_and_wait(f);
    uint64_t before_ms = clock_monotonic_ms();
    assert_int_equal(kill(getpid(), SIGINT), 0);
    WAIT_FOR(f->scoreboard->slots[0].willing_until_ms == 0);
    f->scoreboard->slots[1].willing_until_ms = 0;
    WAIT_FOR(f->server.retire_deadline_ms != 0);
    assert_in_range(clock_monotonic_ms() - before_ms, 500, 5000);
    assert_int_equal(f->server.drain_deadline_ms, 0);
    assert_int_equal(f->server.finished, 0);
    (void)close(client);
    WAIT_FOR(f->server.finished == 1);
}

static void
test_a_more_urgent_order_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    make_sibling_willing(f);
    int client = dial_and_wait(f);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    WAIT_FOR(f->scoreboard->slots[0].willing_until_ms == 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    WAIT_FOR(f->server.drain_deadline_ms != 0);
    assert_int_equal(f->server.retire_deadline_ms, 0);
    (void)close(client);
    WAIT_FOR(f->server.finished == 1);
}

static void
test_the_master_is_gone(void **state)
{
    struct fixture *f = *state;
    int client = dial_and_wait(f);
    uint64_t before_ms = clock_monotonic_ms();
    (void)close(f->life_fds[1]);
    f->life_fds[1] = -1;
    WAIT_FOR(f->server.drain_deadline_ms != 0);
    assert_in_range(f->server.drain_deadline_ms, before_ms + 1000, clock_monotonic_ms() + 1000);
    (void)close(client);
    WAIT_FOR(f->server.finished == 1);
}

static void
test_connections_left_at_the_end_are_let_go(void **state)
{
    struct fixture *f = *state;
    int clients[2] = {dial_and_wait(f), 0};
    (void)close(f->server.fd);
    clients[1] = dial_and_wait(f);
    (void)close(f->server.fd);
    acceptor_stop(&f->acceptor);
    assert_int_equal(f->server.forgotten, 2);
    char byte;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read(clients[i], &byte, 1), 0); /* nobody has the other end any more */
        (void)close(clients[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_connection_comes_and_ends),
        TEST(test_not_its_turn),
        TEST(test_asked_to_stop),
        TEST(test_asked_to_stop_without_connections),
        TEST(test_replaced_waits_for_its_siblings),
        TEST(test_a_more_urgent_order_ends_the_wait),
        TEST(test_the_master_is_gone),
        TEST(test_connections_left_at_the_end_are_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
