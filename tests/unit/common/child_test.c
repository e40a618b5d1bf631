/* child_test.c -- what a forked child has, hears and closes. Each test's child is a real one. */
#include "tests/unit/capture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/child.h"
#include "common/heritage.h"

#define TURNS 2
#define CHILD_FAILED 99

/* In a child there is no cmocka: what fails ends it with the line. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition);           \
            _exit(CHILD_FAILED);                                                                   \
        }                                                                                          \
    } while (0)

struct stage {
    struct heritage heritage;
    int turn_fds[TURNS];
    int stranger_fds[2];
};

typedef void (*child_body)(const struct stage *stage);

static int
open_null(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* A heritage with strangers' descriptors between its own. */
static struct stage
make_stage(void)
{
    struct stage stage = {
        .heritage = {.master_pid = getpid(), .role = ROLE_WORKER, .worker_count = TURNS}};
    for (size_t i = 0; i < HERITAGE_FDS; i++)
        stage.heritage.fds[i] = i == HERITAGE_FD_ADMIN ? -1 : open_null();
    stage.stranger_fds[0] = open_null();
    for (size_t i = 0; i < TURNS; i++)
        stage.turn_fds[i] = open_null();
    stage.stranger_fds[1] = open_null();
    return stage;
}

static void
close_stage(struct stage *stage)
{
    for (size_t i = 0; i < HERITAGE_FDS; i++) {
        if (stage->heritage.fds[i] >= 0)
            (void)close(stage->heritage.fds[i]);
    }
    for (size_t i = 0; i < TURNS; i++)
        (void)close(stage->turn_fds[i]);
    for (size_t i = 0; i < 2; i++)
        (void)close(stage->stranger_fds[i]);
}

/* Blocks what the master blocks. */
static void
block_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaddset(&blocked, numbers[i]);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
}

/* Runs the body in a child. Returns its wait status. */
static int
run_in_child(struct stage *stage, child_body body)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        stage->heritage.turn_fds = stage->turn_fds;
        block_signals();
        body(stage);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
expect_success(child_body body)
{
    struct stage stage = make_stage();
    assert_int_equal(run_in_child(&stage, body), 0);
    close_stage(&stage);
}

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void
check_descriptors(const struct stage *stage)
{
    int signal_fd = -1;
    CHECK(child_begin(&stage->heritage, &signal_fd) == 0);
    for (size_t i = 0; i < HERITAGE_FDS; i++)
        CHECK(stage->heritage.fds[i] < 0 || is_open(stage->heritage.fds[i]));
    for (size_t i = 0; i < TURNS; i++)
        CHECK(is_open(stage->turn_fds[i]));
    /* One of the strangers' numbers may be the signalfd's now. */
    for (size_t i = 0; i < 2; i++)
        CHECK(stage->stranger_fds[i] == signal_fd || !is_open(stage->stranger_fds[i]));
    for (int fd = STDERR_FILENO + 1; fd < 64; fd++) {
        bool is_named = fd == signal_fd;
        for (size_t i = 0; i < HERITAGE_FDS; i++)
            is_named = is_named || fd == stage->heritage.fds[i];
        for (size_t i = 0; i < TURNS; i++)
            is_named = is_named || fd == stage->turn_fds[i];
        CHECK(is_open(fd) == is_named);
    }
}

static void
test_strangers_are_closed(void **state)
{
    (void)state;
    expect_success(check_descriptors);
}

/* The turns are the workers': others have none. */
static void
check_no_turns(const struct stage *stage)
{
    struct heritage heritage = stage->heritage;
    int signal_fd = -1;
    char name[16] = "";
    heritage.role = ROLE_COLLECTOR;
    heritage.turn_fds = NULL;
    CHECK(child_begin(&heritage, &signal_fd) == 0);
    for (size_t i = 0; i < TURNS; i++)
        CHECK(stage->turn_fds[i] == signal_fd || !is_open(stage->turn_fds[i]));
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "mga-collector") == 0);
}

static void
test_others_than_workers_have_no_turns(void **state)
{
    (void)state;
    expect_success(check_no_turns);
}

static void
check_orders(const struct stage *stage)
{
    int signal_fd = -1;
    CHECK(raise(SIGUSR1) == 0); /* it came before the child could take it */
    CHECK(child_begin(&stage->heritage, &signal_fd) == 0);
    CHECK(child_order(signal_fd) == CHILD_ORDER_REOPEN);
    CHECK(child_order(signal_fd) == CHILD_ORDER_NONE);
    CHECK(raise(child_order_signal(CHILD_ORDER_DRAIN)) == 0);
    CHECK(raise(child_order_signal(CHILD_ORDER_REOPEN)) == 0);
    CHECK(raise(child_order_signal(CHILD_ORDER_RETIRE)) == 0);
    CHECK(child_order(signal_fd) == CHILD_ORDER_DRAIN);
    CHECK(raise(SIGINT) == 0);
    CHECK(child_order(signal_fd) == CHILD_ORDER_RETIRE);
}

static void
test_the_most_urgent_order_counts(void **state)
{
    (void)state;
    expect_success(check_orders);
}

static void
stop_among_others(const struct stage *stage)
{
    int signal_fd = -1;
    CHECK(child_begin(&stage->heritage, &signal_fd) == 0);
    CHECK(raise(SIGTERM) == 0 && raise(child_order_signal(CHILD_ORDER_STOP)) == 0);
    (void)child_order(signal_fd);
    _exit(CHILD_FAILED);
}

static void
test_stop_ends_the_process(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    expect_success(stop_among_others);
    char *text = capture_end(&capture);
    capture_expect(text, "stopping at once");
    free(text);
}

/* A signal for the master that a child got as well, in its first moment, does it no harm. */
static void
receive_what_is_for_the_master(const struct stage *stage)
{
    int signal_fd = -1;
    CHECK(raise(SIGHUP) == 0 && raise(SIGUSR2) == 0);
    CHECK(child_begin(&stage->heritage, &signal_fd) == 0);
    CHECK(raise(SIGHUP) == 0 && raise(SIGUSR2) == 0 && raise(SIGPIPE) == 0 && raise(SIGXFSZ) == 0);
    CHECK(child_order(signal_fd) == CHILD_ORDER_NONE);
}

static void
test_signals_for_the_master_are_ignored(void **state)
{
    (void)state;
    expect_success(receive_what_is_for_the_master);
}

static void
begin_as_an_orphan(const struct stage *stage)
{
    struct heritage heritage = stage->heritage;
    int signal_fd = -1;
    heritage.master_pid = getpid();
    (void)child_begin(&heritage, &signal_fd);
    _exit(CHILD_FAILED);
}

static void
test_an_orphan_ends_at_once(void **state)
{
    (void)state;
    expect_success(begin_as_an_orphan);
}

static void
test_ready_is_a_byte_and_the_end(void **state)
{
    (void)state;
    int ends[2];
    char bytes[2];
    struct heritage heritage = {.master_pid = getppid()};
    assert_int_equal(pipe(ends), 0);
    heritage.fds[HERITAGE_FD_READY] = ends[1];
    child_ready(&heritage);
    assert_int_equal(read(ends[0], bytes, sizeof(bytes)), 1);
    assert_int_equal(read(ends[0], bytes, sizeof(bytes)), 0);
    (void)close(ends[0]);
    assert_false(child_is_orphan(&heritage));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_are_closed),
        cmocka_unit_test(test_others_than_workers_have_no_turns),
        cmocka_unit_test(test_the_most_urgent_order_counts),
        cmocka_unit_test(test_stop_ends_the_process),
        cmocka_unit_test(test_signals_for_the_master_are_ignored),
        cmocka_unit_test(test_an_orphan_ends_at_once),
        cmocka_unit_test(test_ready_is_a_byte_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
