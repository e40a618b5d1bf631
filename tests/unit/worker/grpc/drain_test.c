/* drain_test.c -- the phases of a server's drain: each step is made once, whoever makes it. */
#include "worker/grpc/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 5000U

static void
test_from_serving_to_its_end(void **state)
{
    (void)state;
    struct drain drain = {.cut = false};
    assert_int_equal(drain_phase(&drain), DRAIN_SERVING);
    assert_int_equal(drain_look(&drain, DEADLINE_MS * 2), DRAIN_GOES_ON);
    assert_true(drain_begin(&drain, DEADLINE_MS));
    assert_false(drain_begin(&drain, DEADLINE_MS + 1));
    assert_int_equal(drain.deadline_ms, DEADLINE_MS);
    assert_int_equal(drain_phase(&drain), DRAIN_GOING);
    assert_true(drain_finish(&drain));
    assert_false(drain_finish(&drain));
    assert_int_equal(drain_phase(&drain), DRAIN_FINISHING);
    drain_end(&drain);
    assert_int_equal(drain_phase(&drain), DRAIN_OVER);
    assert_int_equal(drain_look(&drain, DEADLINE_MS), DRAIN_GOES_ON); /* nothing is left */
}

static void
test_asked_for_then_begun(void **state)
{
    (void)state;
    struct drain drain = {.cut = false};
    drain_retire(&drain, DEADLINE_MS);
    assert_int_equal(drain_phase(&drain), DRAIN_RETIRING);
    /* It has not begun: nothing is cut off. */
    assert_int_equal(drain_look(&drain, DEADLINE_MS), DRAIN_GOES_ON);
    assert_true(drain_begin(&drain, DEADLINE_MS + 7));
    assert_int_equal(drain.deadline_ms, DEADLINE_MS);
    drain_retire(&drain, DEADLINE_MS + 9);
    assert_int_equal(drain_phase(&drain), DRAIN_GOING);
}

static void
test_finished_before_it_was_begun(void **state)
{
    (void)state;
    struct drain drain = {.cut = false};
    drain_retire(&drain, DEADLINE_MS);
    assert_true(drain_finish(&drain));
    assert_false(drain_begin(&drain, DEADLINE_MS));
    assert_int_equal(drain_phase(&drain), DRAIN_FINISHING);
    assert_int_equal(drain_look(&drain, DEADLINE_MS), DRAIN_CUTS);
}

static void
test_what_is_left_is_cut_off_once(void **state)
{
    (void)state;
    struct drain drain = {.cut = false};
    assert_true(drain_begin(&drain, DEADLINE_MS));
    assert_int_equal(drain_look(&drain, DEADLINE_MS - 1), DRAIN_GOES_ON);
    assert_int_equal(drain_look(&drain, DEADLINE_MS), DRAIN_CUTS);
    assert_int_equal(drain_look(&drain, DEADLINE_MS), DRAIN_GOES_ON);
    assert_int_equal(drain_look(&drain, DEADLINE_MS + 999), DRAIN_GOES_ON);
    assert_int_equal(drain_look(&drain, DEADLINE_MS + 1000), DRAIN_IS_HOPELESS);
}

/* A step out of order is a broken promise of our own: the process ends. */
static void
check_aborts(bool finish)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct drain drain = {.cut = false};
        (void)close(STDERR_FILENO);
        if (finish)
            (void)drain_finish(&drain);
        else
            drain_end(&drain);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
test_steps_out_of_order_end_the_process(void **state)
{
    (void)state;
    check_aborts(true);
    check_aborts(false);
}

/* ---- two threads, as the acceptor's and the main one */

struct race {
    struct drain drain;
    pthread_barrier_t start;
    _Atomic int begun;
    _Atomic int finished;
};

static void *
begin_and_finish(void *context)
{
    struct race *race = context;
    (void)pthread_barrier_wait(&race->start);
    race->begun += drain_begin(&race->drain, DEADLINE_MS);
    race->finished += drain_finish(&race->drain);
    return NULL;
}

static void
test_two_threads_make_each_step_once(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct race race = {.begun = 0};
        pthread_t threads[2];
        (void)pthread_barrier_init(&race.start, NULL, 2);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, begin_and_finish, &race), 0);
        for (size_t i = 0; i < 2; i++)
            (void)pthread_join(threads[i], NULL);
        (void)pthread_barrier_destroy(&race.start);
        assert_int_equal(race.begun, 1);
        assert_int_equal(race.finished, 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_serving_to_its_end),
        cmocka_unit_test(test_asked_for_then_begun),
        cmocka_unit_test(test_finished_before_it_was_begun),
        cmocka_unit_test(test_what_is_left_is_cut_off_once),
        cmocka_unit_test(test_steps_out_of_order_end_the_process),
        cmocka_unit_test(test_two_threads_make_each_step_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
