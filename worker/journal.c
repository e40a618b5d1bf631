/* journal.c -- rotates a worker's segments and tells the collector. Runs in a worker. */
#include "worker/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/event.h"
#include "base/invariant.h"
#include "common/heritage.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_writer.h"
#include "worker/call_refusal.h"
#include "worker/segment_helper.h"
#include "worker/segment_maker.h"
#include "worker/volume_watch.h"

/* After a failure to make a segment, so long until the next attempt: a full volume is not asked
 * with every call. */
#define RETRY_MS 100

/* For a segment that is not ready when it is needed, the main loop waits so long at most; then
 * calls are refused until it is. A usual disk has it ready in time. */
#define READY_WAIT_MS 300

/* So often the open segment is looked at from outside. */
#define CHECK_MS 1000

/* What there is to append to. */
enum journal_phase {
    /* Nothing, and nothing speaks against it: at the begin, and behind a segment that was left. */
    JOURNAL_BETWEEN,

    /* `writer`. */
    JOURNAL_OPEN,

    /* Nothing, since the last try for a segment failed: `refusal` says why. */
    JOURNAL_REFUSING,
};

struct journal {
    const struct heritage *heritage;
    enum journal_phase phase;

    /* The open segment; NULL in any phase but JOURNAL_OPEN. */
    struct segment_writer *writer;

    /* Of the open segment. */
    uint64_t file_bytes;

    /* Of the segment, and of the record, that is next. */
    uint64_t next_number;
    uint64_t next_sequence;

    /* In JOURNAL_REFUSING: why, what size of a file was refused, and until when no other of that
     * size or larger is tried for. */
    struct call_refusal refusal;
    uint64_t refused_file_bytes;
    uint64_t retry_at_ms;

    /* When the open segment is looked at from outside again. */
    uint64_t check_at_ms;

    /* segments.durability is "machine": then another thread syncs `writer`, and whoever changes
     * that holds the lock. */
    bool durable;
    pthread_mutex_t sync_lock;

    /* NULL: segments are made and sealed in the main thread. */
    struct segment_helper *helper;

    /* What was ordered of it last. */
    struct segment_order ordered;

    struct log_brake brake;

    /* Whatever the phase: while the volume is not in its place, nothing is appended. */
    struct volume_watch watch;
};

/* Every change of the phase, after `writer` and `refusal` are as the new one has them. */
static void
enter_phase(struct journal *journal, enum journal_phase phase)
{
    INVARIANT((journal->writer != NULL) == (phase == JOURNAL_OPEN));
    switch (phase) {
    case JOURNAL_BETWEEN:
        INVARIANT(journal->phase == JOURNAL_OPEN);
        break;
    case JOURNAL_OPEN:
    case JOURNAL_REFUSING:
        INVARIANT(journal->phase != JOURNAL_OPEN);
        break;
    }
    journal->phase = phase;
}

static void
wake_collector(const struct heritage *heritage)
{
    event_post(heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
}

static void
tell_directory_changed(const struct heritage *heritage)
{
    atomic_fetch_add(&heritage->scoreboard->segments_changed, 1);
    wake_collector(heritage);
}

/* Wakes the collector if it sleeps. The fence orders the record before the look, as the collector
 * orders its sign before its last look for records: one of the two sees the other. */
static void
tell_appended(const struct heritage *heritage)
{
    _Atomic uint32_t *sleeps = &heritage->scoreboard->collector_sleeps;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(sleeps, memory_order_relaxed) != 0 && atomic_exchange(sleeps, 0) != 0)
        wake_collector(heritage);
}

/* Syncs what has records that may be waited for: the open segment, and those that were left and are
 * not sealed. First the open one is looked for, then the others: one that is left in between is
 * found among them. */
static void
sync_beside_helper(struct journal *journal)
{
    struct segment_writer *left[SEGMENT_HELPER_LEFT_MAX];
    segment_helper_hold(journal->helper);
    (void)pthread_mutex_lock(&journal->sync_lock);
    struct segment_writer *writer = journal->writer;
    (void)pthread_mutex_unlock(&journal->sync_lock);
    size_t count = segment_helper_list_left(journal->helper, left);
    for (size_t i = 0; i < count; i++)
        segment_writer_sync(left[i]);
    if (writer != NULL)
        segment_writer_sync(writer);
    crash_point("journal.synced");
    segment_helper_release(journal->helper);
}

void
journal_sync(struct journal *journal)
{
    if (!journal->durable)
        return;
    if (journal->helper != NULL) {
        sync_beside_helper(journal);
        return;
    }
    (void)pthread_mutex_lock(&journal->sync_lock);
    if (journal->writer != NULL)
        segment_writer_sync(journal->writer);
    crash_point("journal.synced");
    (void)pthread_mutex_unlock(&journal->sync_lock);
}

/* Lets go of the open segment: by segment_writer_seal() or segment_writer_abandon(). Calls may wait
 * for what is in it: it is synced before, by the helper if there is one. */
static void
leave_segment(struct journal *journal, void (*leave)(struct segment_writer **wp))
{
    if (journal->helper == NULL)
        journal_sync(journal);
    uint64_t next_sequence = segment_writer_next_sequence(journal->writer);
    INVARIANT(next_sequence >= journal->next_sequence);
    journal->next_sequence = next_sequence;
    (void)pthread_mutex_lock(&journal->sync_lock);
    if (journal->helper != NULL) {
        segment_helper_leave(journal->helper, journal->writer, leave == segment_writer_abandon);
        journal->writer = NULL;
    } else {
        leave(&journal->writer);
    }
    (void)pthread_mutex_unlock(&journal->sync_lock);
    enter_phase(journal, JOURNAL_BETWEEN);
    if (journal->helper == NULL)
        tell_directory_changed(journal->heritage); /* the helper does when it has let go of it */
}

static void
seal_segment(struct journal *journal)
{
    if (journal->phase == JOURNAL_OPEN)
        leave_segment(journal, segment_writer_seal);
}

/* The size of a new segment for a record with such a body. */
static uint64_t
file_bytes_for(const struct journal *journal, uint64_t body_bytes)
{
    uint64_t needed = segment_writer_file_bytes(body_bytes);
    uint64_t usual = (uint64_t)journal->heritage->settings->segments_size_bytes;
    return needed > usual ? needed : usual;
}

/* Orders the segment behind the open one, or, where there is none, the next. The sequence of its
 * first record is above any that the open one has room for. */
static void
order_next(struct journal *journal, uint64_t file_bytes)
{
    uint64_t sequence = journal->next_sequence;
    if (journal->writer != NULL)
        sequence = segment_writer_next_sequence(journal->writer) +
                   journal->file_bytes / SEGMENT_RECORD_HEADER_BYTES;
    journal->ordered = (struct segment_order){journal->next_number, sequence, file_bytes};
    segment_helper_order(journal->helper, &journal->ordered);
}

/* Takes the segment that is ready. NULL if it is too small, or somebody removed or cut it: then it
 * is out of the way. */
static struct segment_writer *
take_ready(struct journal *journal, uint64_t file_bytes)
{
    struct segment_writer *writer = segment_helper_take(journal->helper);
    bool intact = segment_writer_is_intact(writer);
    if (intact && journal->ordered.file_bytes >= file_bytes)
        return writer;
    segment_helper_leave(journal->helper, writer, !intact);
    journal->next_number++;
    return NULL;
}

/* Takes the segment that the helper has made ready, or says why there is none. It is waited for
 * once; while calls are refused it is only looked for, and a failure that is found then is the
 * answer until the next look. */
static struct segment_writer *
take_from_helper(struct journal *journal, uint64_t file_bytes)
{
    struct segment_helper *helper = journal->helper;
    struct segment_writer *writer = NULL;
    bool may_wait = journal->phase != JOURNAL_REFUSING;
    enum segment_helper_state state = segment_helper_look(helper, 0, &journal->refusal);
    if (state == SEGMENT_HELPER_READY)
        writer = take_ready(journal, file_bytes);
    if (writer != NULL)
        return writer;
    if (state != SEGMENT_HELPER_MAKING)
        order_next(journal, file_bytes);
    if (may_wait)
        state = segment_helper_look(helper, READY_WAIT_MS, &journal->refusal);
    if (may_wait && state == SEGMENT_HELPER_READY)
        writer = take_ready(journal, file_bytes);
    if (writer == NULL && state != SEGMENT_HELPER_FAILED)
        (void)call_refuse(&journal->refusal, REFUSAL_SYSTEM,
                          "the disk is slow: the next segment is not ready");
    return writer;
}

/* Has the next segment as `writer`; if there is none, says why. */
static bool
create_segment(struct journal *journal, uint64_t file_bytes)
{
    struct segment_order order = {journal->next_number, journal->next_sequence, file_bytes};
    struct segment_writer *writer = NULL;
    if (journal->helper != NULL)
        writer = take_from_helper(journal, file_bytes);
    else
        (void)segment_maker_make(journal->heritage, &order, &writer, &journal->refusal);
    if (writer == NULL)
        return false;
    if (journal->helper != NULL)
        file_bytes = journal->ordered.file_bytes;
    (void)pthread_mutex_lock(&journal->sync_lock);
    journal->writer = writer;
    (void)pthread_mutex_unlock(&journal->sync_lock);
    journal->file_bytes = file_bytes;
    journal->next_sequence = segment_writer_next_sequence(writer);
    journal->next_number++;
    return true;
}

/* Tries for a segment of that size. Returns whether there is one now. */
static bool
begin_segment(struct journal *journal, uint64_t file_bytes, uint64_t now_ms)
{
    if (!create_segment(journal, file_bytes)) {
        journal->refused_file_bytes = file_bytes;
        journal->retry_at_ms = now_ms + RETRY_MS;
        enter_phase(journal, JOURNAL_REFUSING);
        return false;
    }
    if (journal->phase == JOURNAL_REFUSING)
        log_write(LOG_LEVEL_INFO, "calls are accepted again", NULL);
    journal->brake = (struct log_brake){0};
    enter_phase(journal, JOURNAL_OPEN);
    if (journal->helper != NULL)
        order_next(journal, file_bytes_for(journal, 1));
    tell_directory_changed(journal->heritage);
    return true;
}

static void
log_refusal(struct journal *journal, uint64_t now_ms)
{
    log_write_braked(&journal->brake, now_ms, LOG_LEVEL_ERROR, "calls are refused",
                     LOG_FIELDS(log_string("reason", journal->refusal.text)));
}

int
journal_open(struct journal **out, const struct heritage *heritage)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL)
        return -ENOMEM;
    journal->heritage = heritage;
    journal->durable = heritage->settings->segments_durability == DURABILITY_MACHINE;
    (void)pthread_mutex_init(&journal->sync_lock, NULL); /* cannot fail with default attributes */
    uint64_t now_ms = clock_monotonic_ms();
    volume_watch_init(&journal->watch, heritage);
    if (!begin_segment(journal, file_bytes_for(journal, 1), now_ms))
        log_refusal(journal, now_ms);
    *out = journal;
    return 0;
}

int
journal_start_helper(struct journal *journal)
{
    INVARIANT(journal->durable && journal->helper == NULL);
    int result = segment_helper_start(&journal->helper, journal->heritage, segment_maker_make);
    if (result == 0)
        order_next(journal, file_bytes_for(journal, 1));
    return result;
}

/* Once a second: leaves a segment that somebody removed or truncated. What stands in it the
 * collector still reads, if it has it open. */
static void
check_intact(struct journal *journal, uint64_t now_ms)
{
    if (journal->phase != JOURNAL_OPEN || now_ms < journal->check_at_ms)
        return;
    journal->check_at_ms = now_ms + CHECK_MS;
    if (segment_writer_is_intact(journal->writer))
        return;
    log_write(LOG_LEVEL_ERROR, "the open segment was removed or truncated by somebody else", NULL);
    leave_segment(journal, segment_writer_abandon);
}

/* Has an open segment with room for such a body. *tried_r tells whether it had to try for one.
 * Returns false, with the reason in journal->refusal, if there is none. */
static bool
make_room(struct journal *journal, uint64_t body_bytes, uint64_t now_ms, bool *tried_r)
{
    *tried_r = false;
    if (journal->phase == JOURNAL_OPEN && segment_writer_fits(journal->writer, body_bytes))
        return true;
    uint64_t file_bytes = file_bytes_for(journal, body_bytes);
    if (journal->phase == JOURNAL_REFUSING && now_ms < journal->retry_at_ms &&
        file_bytes >= journal->refused_file_bytes)
        return false;
    *tried_r = true;
    /* Sealed even if no other can be begun: only a sealed segment is ever given back. */
    seal_segment(journal);
    return begin_segment(journal, file_bytes, now_ms);
}

void
journal_look(struct journal *journal, uint64_t now_ms)
{
    const struct heritage *heritage = journal->heritage;
    bool tried;
    volume_watch_look(&journal->watch, now_ms);
    if (journal->phase != JOURNAL_OPEN)
        (void)make_room(journal, 1, now_ms, &tried);
    bool serves = journal->phase == JOURNAL_OPEN && !journal->watch.is_away;
    atomic_store_explicit(&heritage->scoreboard->slots[heritage->slot].refuses, serves ? 0 : 1,
                          memory_order_relaxed);
}

/* Leaves a segment that cannot be stored to. The next is tried for a moment later. */
static void
leave_broken_segment(struct journal *journal, int error, uint64_t now_ms)
{
    (void)call_refuse(&journal->refusal, call_refusal_cause_of_error(error),
                      "the open segment cannot be written: %s", strerrordesc_np(-error));
    log_refusal(journal, now_ms);
    leave_segment(journal, segment_writer_abandon);
    journal->refused_file_bytes = file_bytes_for(journal, 1);
    journal->retry_at_ms = now_ms + RETRY_MS;
    enter_phase(journal, JOURNAL_REFUSING);
}

bool
journal_has_room(struct journal *journal, uint64_t body_bytes, uint64_t now_ms,
                 struct call_refusal *refusal_r)
{
    bool tried;
    if (journal->watch.is_away) {
        *refusal_r = journal->watch.refusal;
        return false;
    }
    check_intact(journal, now_ms);
    if (make_room(journal, body_bytes, now_ms, &tried))
        return true;
    if (tried)
        log_refusal(journal, now_ms);
    *refusal_r = journal->refusal;
    return false;
}

bool
journal_append(struct journal *journal, const struct segment_record *record, uint64_t now_ms,
               struct call_refusal *refusal_r)
{
    if (!journal_has_room(journal, record->name.size + record->payload.size, now_ms, refusal_r))
        return false;
    int result = segment_writer_append(journal->writer, record);
    if (result != 0) {
        leave_broken_segment(journal, result, now_ms);
        *refusal_r = journal->refusal;
        return false;
    }
    tell_appended(journal->heritage);
    return true;
}

void
journal_close(struct journal **jp)
{
    struct segment_writer *ready;
    if (*jp == NULL)
        return;
    segment_helper_stop(&(*jp)->helper, &ready);
    seal_segment(*jp);
    /* Empty, but only a sealed one is given back. */
    segment_writer_seal(&ready);
    (void)pthread_mutex_destroy(&(*jp)->sync_lock);
    free(*jp);
    *jp = NULL;
}
