/* sync_threads.h -- syncs of different outputs, side by side. Runs in the collector.
 *
 * An output on a file system that takes seconds for a sync must not hold the others up. Its sync is
 * a job: a thread does it, and the main thread, which alone knows what it is for, looks now and
 * then whether it is done.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_SYNC_THREADS_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_SYNC_THREADS_H

#include <stdbool.h>
#include <stdint.h>

struct sync_threads;

/* One sync. The caller sets what is to be done, and keeps the job until it is done; what follows is
 * for sync_threads.c. */
struct sync_job {
    /* Called in a thread. Returns 0 or a negative errno. */
    int (*run)(void *context);
    void *context;
    int result;
    bool is_done;
    /* Nobody waits for it any more: its end is told. */
    bool is_left;
    struct sync_job *next;
};

/* Makes them; a thread is started when a job needs one. `left_fd`, an eventfd, is posted when a job
 * ends for which nobody waits any more; borrowed. Returns 0 or a negative errno; the caller owns
 * *out. */
int sync_threads_open(struct sync_threads **out, int left_fd);

/* Begins a job. Without threads (NULL), or if none can be started, it is done when this returns. */
void sync_threads_begin(struct sync_threads *threads, struct sync_job *job);

/* Waits for a job until a moment of the monotonic clock, in ms; UINT64_MAX = however long it takes.
 * Returns whether it is done; if it is not, it is left. */
bool sync_threads_wait(struct sync_threads *threads, struct sync_job *job, uint64_t until_ms);

/* Ends the threads, which have no jobs any more; NULL-safe; sets *tp to NULL. */
void sync_threads_close(struct sync_threads **tp);

#endif
