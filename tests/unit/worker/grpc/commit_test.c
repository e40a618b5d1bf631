/* commit_test.c -- who waits is called after a sync that began after it came, in order, and nobody
 * is forgotten. The sync is the test's: it begins and ends when it is let. */
#include "worker/grpc/commit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#define WAITERS 5

struct fixture {
    struct commit *commit;
    sem_t began;
    sem_t may_end;
    _Atomic int syncs_begun;
    _Atomic int syncs_done;
    /* The numbers of the waiters, as they were called. */
    _Atomic int called;
    int order[WAITERS];
};

struct waiter {
    struct commit_waiter waiter;
    int number;
    /* How many syncs had begun when it came. */
    int came_after;
};

static struct fixture fixture;
static struct waiter waiters[WAITERS];

/* An assertion that fails in another thread than the test's would not end the test: what is seen
 * there is kept, and judged later. */
static _Atomic int broken_promises;

static void
sync_when_let(void *context)
{
    struct fixture *f = context;
    f->syncs_begun++;
    (void)sem_post(&f->began);
    (void)sem_wait(&f->may_end);
    f->syncs_done++;
}

static void
on_synced(struct commit_waiter *waiter)
{
    struct waiter *self = CONTAINER_OF(waiter, struct waiter, waiter);
    if (fixture.syncs_done <= self->came_after)
        broken_promises++;
    fixture.order[fixture.called++] = self->number;
    memset(self, 0, sizeof(*self)); /* it may be freed by now */
}

static void
wait_for_sync(struct fixture *f, int number)
{
    waiters[number].waiter.synced = on_synced;
    waiters[number].number = number;
    waiters[number].came_after = f->syncs_begun;
    commit_wait(f->commit, &waiters[number].waiter);
}

static int
setup(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    broken_promises = 0;
    (void)sem_init(&fixture.began, 0, 0);
    (void)sem_init(&fixture.may_end, 0, 0);
    assert_int_equal(commit_start(&fixture.commit, sync_when_let, &fixture), 0);
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < WAITERS; i++)
        (void)sem_post(&f->may_end); /* nobody is left in a sync, whatever failed */
    commit_stop(&f->commit);
    assert_null(f->commit);
    commit_stop(&f->commit); /* NULL-safe */
    (void)sem_destroy(&f->began);
    (void)sem_destroy(&f->may_end);
    return 0;
}

static void
test_those_who_come_during_a_sync_share_the_next(void **state)
{
    struct fixture *f = *state;
    wait_for_sync(f, 0);
    (void)sem_wait(&f->began);
    for (int number = 1; number < WAITERS; number++)
        wait_for_sync(f, number);
    assert_int_equal(f->called, 0);
    (void)sem_post(&f->may_end);
    (void)sem_wait(&f->began); /* the second sync, so the first one's waiter has been called */
    assert_int_equal(f->called, 1);
    assert_int_equal(f->order[0], 0);
    (void)sem_post(&f->may_end);
    commit_stop(&f->commit);
    assert_int_equal(f->called, WAITERS);
    assert_int_equal(f->syncs_begun, 2);
    assert_int_equal(broken_promises, 0);
    for (int number = 0; number < WAITERS; number++)
        assert_int_equal(f->order[number], number);
}

static void
test_stop_serves_who_waits(void **state)
{
    struct fixture *f = *state;
    (void)sem_post(&f->may_end);
    (void)sem_post(&f->may_end);
    wait_for_sync(f, 0);
    wait_for_sync(f, 1);
    commit_stop(&f->commit);
    assert_int_equal(f->called, 2);
    assert_int_equal(broken_promises, 0);
}

static void
test_nobody_waits_nothing_is_synced(void **state)
{
    struct fixture *f = *state;
    commit_stop(&f->commit);
    assert_int_equal(f->syncs_begun, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_those_who_come_during_a_sync_share_the_next),
        TEST(test_stop_serves_who_waits),
        TEST(test_nobody_waits_nothing_is_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
