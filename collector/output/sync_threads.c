/* sync_threads.c -- a queue and as many threads as there are jobs, up to a bound. Runs in the
 * collector. */
#include "collector/output/sync_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/event.h"
#include "base/invariant.h"

/* So many outputs may be stuck in a sync before one holds up the others. */
#define THREADS_MAX 64U

struct sync_threads {
    int left_fd; /* borrowed */
    pthread_t threads[THREADS_MAX];
    size_t count;

    /* Of what follows. */
    pthread_mutex_t lock;
    pthread_cond_t begun;
    pthread_cond_t done;
    bool stop;
    size_t idle;
    struct sync_job *first;
    struct sync_job *last;
};

static void
run(struct sync_job *job)
{
    job->result = job->run(job->context);
}

/* Takes the first job. With the lock, which is given up meanwhile. */
static void
do_first(struct sync_threads *threads)
{
    struct sync_job *job = threads->first;
    threads->first = job->next;
    if (threads->first == NULL)
        threads->last = NULL;
    (void)pthread_mutex_unlock(&threads->lock);
    run(job);
    (void)pthread_mutex_lock(&threads->lock);
    if (job->is_left)
        event_post(threads->left_fd);
    job->is_done = true; /* from now on it may be gone */
    (void)pthread_cond_broadcast(&threads->done);
}

static void *
thread_main(void *context)
{
    struct sync_threads *threads = context;
    (void)pthread_mutex_lock(&threads->lock);
    while (!threads->stop) {
        if (threads->first != NULL) {
            do_first(threads);
            continue;
        }
        threads->idle++;
        (void)pthread_cond_wait(&threads->begun, &threads->lock);
        threads->idle--;
    }
    (void)pthread_mutex_unlock(&threads->lock);
    return NULL;
}

int
sync_threads_open(struct sync_threads **out, int left_fd)
{
    pthread_condattr_t attributes;
    struct sync_threads *threads = calloc(1, sizeof(*threads));
    if (threads == NULL)
        return -ENOMEM;
    threads->left_fd = left_fd;
    INVARIANT(pthread_mutex_init(&threads->lock, NULL) == 0);
    INVARIANT(pthread_condattr_init(&attributes) == 0);
    INVARIANT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    INVARIANT(pthread_cond_init(&threads->begun, NULL) == 0);
    INVARIANT(pthread_cond_init(&threads->done, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    *out = threads;
    return 0;
}

static void
append(struct sync_threads *threads, struct sync_job *job)
{
    if (threads->last == NULL)
        threads->first = job;
    else
        threads->last->next = job;
    threads->last = job;
    (void)pthread_cond_signal(&threads->begun);
}

/* One more thread, if all are at work. With the lock. False if there is none to take a job. */
static bool
have_thread(struct sync_threads *threads, size_t queued)
{
    if (threads->idle > queued || threads->count == THREADS_MAX)
        return true;
    if (pthread_create(&threads->threads[threads->count], NULL, thread_main, threads) == 0)
        threads->count++;
    return threads->count > 0;
}

void
sync_threads_begin(struct sync_threads *threads, struct sync_job *job)
{
    size_t queued = 0;
    job->is_done = false;
    job->is_left = false;
    job->next = NULL;
    if (threads == NULL) {
        run(job);
        job->is_done = true;
        return;
    }
    (void)pthread_mutex_lock(&threads->lock);
    for (const struct sync_job *waiting = threads->first; waiting != NULL; waiting = waiting->next)
        queued++;
    if (have_thread(threads, queued)) {
        append(threads, job);
    } else {
        run(job);
        job->is_done = true;
    }
    (void)pthread_mutex_unlock(&threads->lock);
}

bool
sync_threads_wait(struct sync_threads *threads, struct sync_job *job, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000 * 1000000)};
    int result = 0;
    if (threads == NULL)
        return true;
    (void)pthread_mutex_lock(&threads->lock);
    while (!job->is_done && result == 0)
        result = until_ms == UINT64_MAX
                     ? pthread_cond_wait(&threads->done, &threads->lock)
                     : pthread_cond_timedwait(&threads->done, &threads->lock, &until);
    job->is_left = !job->is_done;
    bool done = job->is_done;
    (void)pthread_mutex_unlock(&threads->lock);
    return done;
}

void
sync_threads_close(struct sync_threads **tp)
{
    struct sync_threads *threads = *tp;
    if (threads == NULL)
        return;
    *tp = NULL;
    (void)pthread_mutex_lock(&threads->lock);
    INVARIANT(threads->first == NULL);
    threads->stop = true;
    (void)pthread_cond_broadcast(&threads->begun);
    (void)pthread_mutex_unlock(&threads->lock);
    for (size_t i = 0; i < threads->count; i++)
        (void)pthread_join(threads->threads[i], NULL);
    (void)pthread_cond_destroy(&threads->begun);
    (void)pthread_cond_destroy(&threads->done);
    (void)pthread_mutex_destroy(&threads->lock);
    free(threads);
}
