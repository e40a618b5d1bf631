/* sync_threads_test.c -- jobs run side by side, and who does not wait is told. */
#include "tests/unit/scratch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "collector/output/sync_threads.h"

#define JOBS 8

static pthread_barrier_t together;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int
wait_for_the_others(void *context)
{
    (void)context;
    (void)pthread_barrier_wait(&together);
    return 0;
}

static int
wait_at_the_gate(void *context)
{
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return *(int *)context;
}

static int
return_it(void *context)
{
    return *(int *)context;
}

static bool
is_posted(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

static void
test_without_threads_a_job_is_done_at_once(void **state)
{
    int result = -5;
    struct sync_job job = {.run = return_it, .context = &result};
    (void)state;
    sync_threads_begin(NULL, &job);
    assert_true(sync_threads_wait(NULL, &job, 0));
    assert_int_equal(job.result, -5);
}

/* Each waits for all of them: one thread alone would never come back. */
static void
test_jobs_run_side_by_side(void **state)
{
    struct sync_threads *threads = NULL;
    struct sync_job jobs[JOBS];
    (void)state;
    assert_int_equal(pthread_barrier_init(&together, NULL, JOBS), 0);
    assert_int_equal(sync_threads_open(&threads, -1), 0);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < JOBS; i++) {
            jobs[i] = (struct sync_job){.run = wait_for_the_others};
            sync_threads_begin(threads, &jobs[i]);
        }
        for (size_t i = 0; i < JOBS; i++)
            assert_true(sync_threads_wait(threads, &jobs[i], UINT64_MAX));
    }
    sync_threads_close(&threads);
    assert_null(threads);
    (void)pthread_barrier_destroy(&together);
}

/* A job that is stuck holds up no other; it is left, and its end is told. */
static void
test_a_job_that_is_left_tells_its_end(void **state)
{
    int result = -7;
    int left_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct sync_threads *threads = NULL;
    struct sync_job stuck = {.run = wait_at_the_gate, .context = &result};
    struct sync_job quick = {.run = return_it, .context = &result};
    (void)state;
    assert_int_equal(sync_threads_open(&threads, left_fd), 0);
    (void)pthread_mutex_lock(&gate);
    sync_threads_begin(threads, &stuck);
    assert_false(sync_threads_wait(threads, &stuck, 0));
    sync_threads_begin(threads, &quick);
    assert_true(sync_threads_wait(threads, &quick, UINT64_MAX));
    assert_false(is_posted(left_fd));
    (void)pthread_mutex_unlock(&gate);
    while (!is_posted(left_fd))
        (void)poll(NULL, 0, 1);
    assert_true(sync_threads_wait(threads, &stuck, UINT64_MAX));
    assert_int_equal(stuck.result, -7);
    sync_threads_close(&threads);
    sync_threads_close(&threads);
    (void)close(left_fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_threads_a_job_is_done_at_once),
        cmocka_unit_test(test_jobs_run_side_by_side),
        cmocka_unit_test(test_a_job_that_is_left_tells_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
