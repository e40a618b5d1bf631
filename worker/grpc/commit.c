/* commit.c -- the thread that syncs for those who wait. Runs in a worker, beside the main thread.
 *
 * Crash contract: a waiter is called only after a sync that began after it came has returned. A
 * sync that fails does not return: it ends the process.
 */
#include "worker/grpc/commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/invariant.h"

struct commit {
    void (*sync)(void *context);
    void *context;
    pthread_t thread;
    /* Of what follows. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* In the order they came. */
    struct list_link waiters;
    bool stop;
};

/* Moves everybody who waits to `taken`; sleeps while nobody does. False: the thread is to end. */
static bool
take_waiters(struct commit *commit, struct list_link *taken)
{
    (void)pthread_mutex_lock(&commit->lock);
    while (list_is_empty(&commit->waiters) && !commit->stop)
        (void)pthread_cond_wait(&commit->changed, &commit->lock);
    list_move(&commit->waiters, taken);
    (void)pthread_mutex_unlock(&commit->lock);
    return !list_is_empty(taken);
}

static void *
commit_thread(void *context)
{
    struct commit *commit = context;
    struct list_link taken;
    while (take_waiters(commit, &taken)) {
        commit->sync(commit->context);
        while (!list_is_empty(&taken)) {
            struct commit_waiter *waiter = CONTAINER_OF(taken.after, struct commit_waiter, link);
            list_remove(&waiter->link);
            waiter->synced(waiter);
        }
    }
    return NULL;
}

int
commit_start(struct commit **out, void (*sync)(void *context), void *context)
{
    struct commit *commit = calloc(1, sizeof(*commit));
    if (commit == NULL)
        return -ENOMEM;
    commit->sync = sync;
    commit->context = context;
    list_init(&commit->waiters);
    (void)pthread_mutex_init(&commit->lock, NULL); /* neither can fail with default attributes */
    (void)pthread_cond_init(&commit->changed, NULL);
    int error = pthread_create(&commit->thread, NULL, commit_thread, commit);
    if (error != 0) {
        free(commit);
        return -error;
    }
    *out = commit;
    return 0;
}

void
commit_wait(struct commit *commit, struct commit_waiter *waiter)
{
    (void)pthread_mutex_lock(&commit->lock);
    INVARIANT(!commit->stop);
    bool wake = list_is_empty(&commit->waiters);
    list_append(&commit->waiters, &waiter->link);
    if (wake)
        (void)pthread_cond_signal(&commit->changed);
    (void)pthread_mutex_unlock(&commit->lock);
}

void
commit_stop(struct commit **cp)
{
    struct commit *commit = *cp;
    if (commit == NULL)
        return;
    *cp = NULL;
    (void)pthread_mutex_lock(&commit->lock);
    commit->stop = true;
    (void)pthread_cond_signal(&commit->changed);
    (void)pthread_mutex_unlock(&commit->lock);
    (void)pthread_join(commit->thread, NULL);
    (void)pthread_cond_destroy(&commit->changed);
    (void)pthread_mutex_destroy(&commit->lock);
    free(commit);
}
