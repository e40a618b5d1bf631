/* commit.c -- the thread that syncs the journal for those who wait. Runs in a worker, beside the main
 * thread.
 *
 * Crash contract: a waiter is called only after a sync that began after it came returned well; a sync
 * that fails ends the process (journal_sync()).
 */
#include "worker/grpc/commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "worker/journal.h"

struct commit {
    struct journal *journal;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct commit_waiter *first; /* in the order they came */
    struct commit_waiter **last_next;
    bool stop;
};

/* Takes everybody who waits; sleeps while nobody does. NULL: the thread is to end. */
static struct commit_waiter *
take_waiters(struct commit *commit)
{
    (void)pthread_mutex_lock(&commit->lock);
    while (commit->first == NULL && !commit->stop)
        (void)pthread_cond_wait(&commit->changed, &commit->lock);
    struct commit_waiter *waiters = commit->first;
    commit->first = NULL;
    commit->last_next = &commit->first;
    (void)pthread_mutex_unlock(&commit->lock);
    return waiters;
}

static void *
commit_thread(void *context)
{
    struct commit *commit = context;
    struct commit_waiter *waiter = NULL;
    while ((waiter = take_waiters(commit)) != NULL) {
        journal_sync(commit->journal);
        while (waiter != NULL) {
            struct commit_waiter *next = waiter->next;
            waiter->synced(waiter);
            waiter = next;
        }
    }
    return NULL;
}

int
commit_start(struct commit **out, struct journal *journal)
{
    struct commit *commit = calloc(1, sizeof(*commit));
    if (commit == NULL)
        return -ENOMEM;
    commit->journal = journal;
    commit->last_next = &commit->first;
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
    waiter->next = NULL;
    (void)pthread_mutex_lock(&commit->lock);
    bool wake = commit->first == NULL;
    *commit->last_next = waiter;
    commit->last_next = &waiter->next;
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
