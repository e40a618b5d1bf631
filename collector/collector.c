/* collector.c -- the main loop of the collector process.
 *
 * Owns the lock that makes it the only collector of its segment directory, and decides when to
 * merge, sleep, rest and end. Idle, it sleeps until a worker that has appended something wakes it;
 * busy, it merges a hundred times a second, so that a wake-up serves many calls.
 *
 * Crash contract: it may be killed at any instruction; the next collector waits for the lock, which
 * the kernel gives free, and takes the same path as every start.
 */
#include "collector/collector.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "collector/collector_lock.h"
#include "collector/merge.h"
#include "collector/output/sync_threads.h"
#include "common/child.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_directory.h"

#define NAP_MS 10            /* between two passes while there is work */
#define SLEEP_MS_MAX 200     /* the heartbeat's period */
#define LOOK_AGAIN_MS 1000   /* the directory is read so often even if nobody said it changed */
#define IDLE_MS 1000         /* idle for so long, it lets go of what it has open */
#define ORPHAN_DRAIN_MS 5000 /* without a master, so long at most for what is left */

struct collector {
    const struct heritage *heritage;
    int signal_fd;
    struct sync_threads *threads;
    struct merge *merge;
    uint64_t changes_seen; /* of scoreboard->segments_changed */
    uint64_t looked_ms;
    uint64_t worked_ms; /* when the last pass found something */
    bool draining;
    uint64_t deadline_ms; /* of the drain */
};

static void
beat(const struct collector *collector)
{
    struct scoreboard *scoreboard = collector->heritage->scoreboard;
    atomic_fetch_add_explicit(&scoreboard->slots[collector->heritage->slot].heartbeat, 1,
                              memory_order_relaxed);
}

/* Lets go of outputs when told to; begins the drain when told to, or when the master is gone. */
static void
look_for_orders(struct collector *collector)
{
    enum child_order order = child_order(collector->signal_fd);
    bool told = order >= CHILD_ORDER_RETIRE;
    if (order == CHILD_ORDER_REOPEN && collector->merge != NULL) {
        merge_reopen(collector->merge);
        log_write(LOG_LEVEL_INFO, "let go of the outputs; each is opened anew when it is written",
                  NULL);
    }
    bool orphan = child_is_orphan(collector->heritage);
    if (collector->draining || !(told || orphan))
        return;
    uint64_t patience_ms =
        orphan
            ? ORPHAN_DRAIN_MS
            : (uint64_t)collector->heritage->settings->workers_drain_timeout_ms + ORPHAN_DRAIN_MS;
    collector->draining = true;
    collector->deadline_ms = clock_monotonic_ms() + patience_ms;
    log_write(LOG_LEVEL_DEBUG, "draining", LOG_FIELDS(log_u64("orphan", orphan)));
}

/* Sleeps until a signal, the master's end or, with `for_work`, a worker's append; `timeout_ms` at
 * most. */
static void
sleep_until(const struct collector *collector, bool for_work, uint64_t timeout_ms)
{
    struct pollfd watched[] = {
        {.fd = collector->signal_fd, .events = POLLIN},
        {.fd = collector->draining ? -1 : collector->heritage->fds[HERITAGE_FD_LIFE],
         .events = POLLIN},
        {.fd = for_work ? collector->heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP] : -1,
         .events = POLLIN},
    };
    (void)poll(watched, sizeof(watched) / sizeof(watched[0]), (int)timeout_ms);
    if (for_work) {
        uint64_t wakes;
        ssize_t got =
            read(collector->heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP], &wakes, sizeof(wakes));
        (void)got; /* empty after a timeout */
    }
}

/* One collector at a time: waits until the one before it is gone. True once it has the lock,
 * which it keeps for life. False if the lock cannot be opened, or the master is gone, or it
 * takes too long after the order to drain. */
static bool
get_lock(struct collector *collector)
{
    int segments_fd = collector->heritage->fds[HERITAGE_FD_SEGMENTS];
    struct collector_lock lock = COLLECTOR_LOCK_NONE;
    struct log_brake brake = {.next_ms = clock_monotonic_ms() + 1000};
    int result;
    while ((result = collector_lock_try(&lock, segments_fd)) == -EWOULDBLOCK) {
        log_write_braked(&brake, clock_monotonic_ms(), LOG_LEVEL_WARNING,
                         "waiting for another collector to end", NULL);
        look_for_orders(collector);
        /* Without a master there is nothing to wait for: who has the lock merges everything. */
        if (child_is_orphan(collector->heritage) ||
            (collector->draining && clock_monotonic_ms() >= collector->deadline_ms))
            return false;
        beat(collector);
        sleep_until(collector, false, 20);
    }
    if (result != 0)
        log_write(LOG_LEVEL_ERROR, "cannot lock " SEGMENT_DIRECTORY_COLLECTOR_LOCK,
                  LOG_FIELDS(log_error(result)));
    return result == 0;
}

/* Has the directory read again if it changed, or may have. */
static void
follow_changes(struct collector *collector, uint64_t now_ms)
{
    uint64_t changes = atomic_load(&collector->heritage->scoreboard->segments_changed);
    if (changes == collector->changes_seen && now_ms < collector->looked_ms + LOOK_AGAIN_MS &&
        !collector->draining)
        return;
    collector->changes_seen = changes;
    collector->looked_ms = now_ms;
    merge_look_again(collector->merge);
}

/* Nothing was found: announces the sleep first, then looks once more, and only then sleeps, so that
 * an append in between is either found or wakes it. */
static void
sleep_for_work(struct collector *collector, bool *announced)
{
    _Atomic uint32_t *sleeps = &collector->heritage->scoreboard->collector_sleeps;
    if (!*announced) {
        *announced = true;
        atomic_store(sleeps, 1);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in worker/journal.c */
        return;
    }
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t timeout_ms = merge_retry_in_ms(collector->merge, now_ms);
    if (timeout_ms > SLEEP_MS_MAX)
        timeout_ms = SLEEP_MS_MAX;
    if (now_ms >= collector->worked_ms + IDLE_MS)
        merge_release_idle(collector->merge);
    sleep_until(collector, true, timeout_ms);
    *announced = false;
    atomic_store(sleeps, 0);
}

/* Merges until there is nothing left to do. Returns the exit code. */
static int
merge_until_drained(struct collector *collector)
{
    bool announced = false;
    for (;;) {
        uint64_t now_ms = clock_monotonic_ms();
        look_for_orders(collector);
        follow_changes(collector, now_ms);
        int64_t found = merge_pass(collector->merge, now_ms);
        beat(collector);
        if (collector->draining && merge_is_empty(collector->merge)) {
            merge_release_idle(collector->merge);
            return 0;
        }
        if (collector->draining && now_ms >= collector->deadline_ms) {
            merge_log_unmerged(collector->merge);
            return EX_TEMPFAIL;
        }
        if (found > 0)
            collector->worked_ms = now_ms;
        if (found == 0 && !collector->draining)
            sleep_for_work(collector, &announced);
        else if (found <= 0 || !merge_is_behind(collector->merge))
            sleep_until(collector, false, NAP_MS);
    }
}

int
collector_main(const struct heritage *heritage)
{
    struct collector collector = {.heritage = heritage, .signal_fd = -1};
    (void)umask(0); /* output.mode says all there is to say */
    int result = child_begin(heritage, &collector.signal_fd);
    if (result != 0)
        return EXIT_FAILURE;
    if (!get_lock(&collector))
        return collector.draining ? EX_TEMPFAIL : EXIT_FAILURE;
    crash_point("collector.locked");
    result = sync_threads_open(&collector.threads, heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
    if (result == 0)
        result = merge_open(&collector.merge, heritage, collector.threads);
    if (result != 0) {
        log_write(LOG_LEVEL_ERROR, "cannot recover the outputs", LOG_FIELDS(log_error(result)));
        return EXIT_FAILURE;
    }
    crash_point("collector.recovered");
    collector.worked_ms = clock_monotonic_ms();
    child_ready(heritage);
    int code = merge_until_drained(&collector);
    if (code != 0)
        _exit(code); /* a sync may be stuck; the next start goes on */
    merge_close(&collector.merge);
    sync_threads_close(&collector.threads);
    (void)close(collector.signal_fd);
    return code;
}
