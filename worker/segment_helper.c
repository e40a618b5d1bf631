/* segment_helper.c -- a thread, an order and a short queue. Runs in a worker, beside the main
 * thread.
 *
 * Two locks: `lock` is held for moments only, and by the main thread too; `sealing` is held while a
 * segment is sealed or synced, by the helper and the commit thread, and never by the main thread.
 */
#include "worker/segment_helper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/event.h"
#include "base/invariant.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "segment/segment_writer.h"
#include "worker/call_refusal.h"

/* With as many left as this, sealing comes first. */
#define LEFT_FEW 2U

struct left_segment {
    struct segment_writer *writer;
    bool abandon;
};

struct segment_helper {
    const struct heritage *heritage;
    segment_helper_make *make;
    pthread_t thread;
    pthread_mutex_t sealing;

    /* Of what follows. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    enum segment_helper_state state;
    struct segment_order order;
    /* In SEGMENT_HELPER_READY; NULL in any other. */
    struct segment_writer *ready;
    struct call_refusal refusal;
    /* In the order they were left. */
    struct left_segment left[SEGMENT_HELPER_LEFT_MAX];
    size_t left_count;
};

/* Every change of the state, after `ready` is as the new one has it. */
static void
enter_state(struct segment_helper *helper, enum segment_helper_state state)
{
    static const bool may_follow[][SEGMENT_HELPER_FAILED + 1] = {
        [SEGMENT_HELPER_IDLE] = {[SEGMENT_HELPER_MAKING] = true},
        [SEGMENT_HELPER_MAKING] = {[SEGMENT_HELPER_READY] = true, [SEGMENT_HELPER_FAILED] = true},
        [SEGMENT_HELPER_READY] = {[SEGMENT_HELPER_IDLE] = true},
        [SEGMENT_HELPER_FAILED] = {[SEGMENT_HELPER_MAKING] = true},
    };
    INVARIANT(may_follow[helper->state][state]);
    INVARIANT((helper->ready != NULL) == (state == SEGMENT_HELPER_READY));
    helper->state = state;
    (void)pthread_cond_broadcast(&helper->changed);
}

static void
tell_directory_changed(const struct heritage *heritage)
{
    atomic_fetch_add(&heritage->scoreboard->segments_changed, 1);
    event_post(heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
}

/* Carries out the order. With the lock, which is given up meanwhile. */
static void
make_segment(struct segment_helper *helper)
{
    struct segment_order order = helper->order;
    struct segment_writer *writer = NULL;
    struct call_refusal refusal;
    (void)pthread_mutex_unlock(&helper->lock);
    bool made = helper->make(helper->heritage, &order, &writer, &refusal);
    (void)pthread_mutex_lock(&helper->lock);
    if (made)
        helper->ready = writer;
    else
        helper->refusal = refusal;
    enter_state(helper, made ? SEGMENT_HELPER_READY : SEGMENT_HELPER_FAILED);
}

/* Seals the segment that was left first. With the lock, which is given up meanwhile. It stays in
 * the queue until it is sealed: who syncs must find it there. */
static void
seal_first(struct segment_helper *helper)
{
    (void)pthread_mutex_unlock(&helper->lock);
    (void)pthread_mutex_lock(&helper->sealing);
    (void)pthread_mutex_lock(&helper->lock);
    struct left_segment first = helper->left[0];
    (void)pthread_mutex_unlock(&helper->lock);
    if (first.abandon) {
        segment_writer_sync(first.writer); /* calls may wait for what is in it */
        segment_writer_abandon(&first.writer);
    } else {
        segment_writer_seal(&first.writer);
    }
    (void)pthread_mutex_lock(&helper->lock);
    helper->left_count--;
    memmove(helper->left, helper->left + 1, helper->left_count * sizeof(helper->left[0]));
    (void)pthread_mutex_unlock(&helper->sealing);
    tell_directory_changed(helper->heritage);
}

/* The next segment comes first, since calls may wait for it; but what was left must not pile up. */
static void *
helper_thread(void *context)
{
    struct segment_helper *helper = context;
    (void)pthread_mutex_lock(&helper->lock);
    for (;;) {
        if (helper->state == SEGMENT_HELPER_MAKING && helper->left_count < LEFT_FEW)
            make_segment(helper);
        else if (helper->left_count > 0)
            seal_first(helper);
        else if (helper->stop)
            break;
        else
            (void)pthread_cond_wait(&helper->changed, &helper->lock);
    }
    (void)pthread_mutex_unlock(&helper->lock);
    return NULL;
}

int
segment_helper_start(struct segment_helper **out, const struct heritage *heritage,
                     segment_helper_make *make)
{
    struct segment_helper *helper = calloc(1, sizeof(*helper));
    pthread_condattr_t monotonic;
    if (helper == NULL)
        return -ENOMEM;
    helper->heritage = heritage;
    helper->make = make;
    /* None of these can fail as they are called. */
    (void)pthread_mutex_init(&helper->sealing, NULL);
    (void)pthread_mutex_init(&helper->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&helper->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int error = pthread_create(&helper->thread, NULL, helper_thread, helper);
    if (error != 0) {
        free(helper);
        return -error;
    }
    *out = helper;
    return 0;
}

void
segment_helper_order(struct segment_helper *helper, const struct segment_order *order)
{
    (void)pthread_mutex_lock(&helper->lock);
    helper->order = *order;
    enter_state(helper, SEGMENT_HELPER_MAKING);
    (void)pthread_mutex_unlock(&helper->lock);
}

enum segment_helper_state
segment_helper_look(struct segment_helper *helper, uint64_t wait_ms, struct call_refusal *refusal_r)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&helper->lock);
    while (wait_ms > 0 && helper->state == SEGMENT_HELPER_MAKING) {
        if (pthread_cond_timedwait(&helper->changed, &helper->lock, &until) == ETIMEDOUT)
            break;
    }
    enum segment_helper_state state = helper->state;
    if (state == SEGMENT_HELPER_FAILED)
        *refusal_r = helper->refusal;
    (void)pthread_mutex_unlock(&helper->lock);
    return state;
}

struct segment_writer *
segment_helper_take(struct segment_helper *helper)
{
    (void)pthread_mutex_lock(&helper->lock);
    struct segment_writer *writer = helper->ready;
    helper->ready = NULL;
    enter_state(helper, SEGMENT_HELPER_IDLE);
    (void)pthread_mutex_unlock(&helper->lock);
    return writer;
}

void
segment_helper_leave(struct segment_helper *helper, struct segment_writer *writer, bool abandon)
{
    (void)pthread_mutex_lock(&helper->lock);
    INVARIANT(helper->left_count < SEGMENT_HELPER_LEFT_MAX);
    helper->left[helper->left_count++] = (struct left_segment){writer, abandon};
    (void)pthread_cond_broadcast(&helper->changed);
    (void)pthread_mutex_unlock(&helper->lock);
}

void
segment_helper_hold(struct segment_helper *helper)
{
    (void)pthread_mutex_lock(&helper->sealing);
}

size_t
segment_helper_list_left(struct segment_helper *helper,
                         struct segment_writer *left_r[SEGMENT_HELPER_LEFT_MAX])
{
    (void)pthread_mutex_lock(&helper->lock);
    size_t count = helper->left_count;
    for (size_t i = 0; i < count; i++)
        left_r[i] = helper->left[i].writer;
    (void)pthread_mutex_unlock(&helper->lock);
    return count;
}

void
segment_helper_release(struct segment_helper *helper)
{
    (void)pthread_mutex_unlock(&helper->sealing);
}

void
segment_helper_stop(struct segment_helper **hp, struct segment_writer **ready_r)
{
    struct segment_helper *helper = *hp;
    *ready_r = NULL;
    if (helper == NULL)
        return;
    *hp = NULL;
    (void)pthread_mutex_lock(&helper->lock);
    helper->stop = true;
    (void)pthread_cond_broadcast(&helper->changed);
    (void)pthread_mutex_unlock(&helper->lock);
    (void)pthread_join(helper->thread, NULL);
    *ready_r = helper->ready;
    (void)pthread_cond_destroy(&helper->changed);
    (void)pthread_mutex_destroy(&helper->lock);
    (void)pthread_mutex_destroy(&helper->sealing);
    free(helper);
}
