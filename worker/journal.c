/* journal.c -- rotates a worker's segments and tells the collector. Runs in a worker. */
#include "worker/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/event.h"
#include "common/heritage.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

/* After a failure to make a segment, so long until the next attempt: a full volume is not asked
 * with every call. */
#define RETRY_MS 100

/* So often the open segment is looked at from outside. */
#define CHECK_MS 1000

struct journal {
    const struct heritage *heritage;
    struct segment_writer *writer; /* NULL: there was no room for one */
    uint64_t next_number;
    uint64_t next_sequence;
    int refusal;          /* why there is no segment, a negative errno; 0 = there is none yet */
    uint64_t retry_at_ms; /* no attempt before, but for a smaller file than the one refused */
    uint64_t refused_file_bytes;
    uint64_t check_at_ms;
    bool durable;              /* segments.durability is "machine" */
    pthread_mutex_t sync_lock; /* `writer` does not change while another thread syncs it */
    char refusal_text[192];
    struct log_brake brake;
};

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

void
journal_sync(struct journal *journal)
{
    if (!journal->durable)
        return;
    (void)pthread_mutex_lock(&journal->sync_lock);
    if (journal->writer != NULL)
        segment_writer_sync(journal->writer);
    crash_point("journal.synced");
    (void)pthread_mutex_unlock(&journal->sync_lock);
}

static void
seal_segment(struct journal *journal)
{
    if (journal->writer == NULL)
        return;
    journal->next_sequence = segment_writer_next_sequence(journal->writer);
    journal_sync(journal); /* calls may wait for what is in it */
    (void)pthread_mutex_lock(&journal->sync_lock);
    segment_writer_seal(&journal->writer);
    (void)pthread_mutex_unlock(&journal->sync_lock);
    tell_directory_changed(journal->heritage);
}

/* Whether one more file of that size is within the limit: 0, -EDQUOT, or another negative errno. */
static int
check_limit(const struct journal *journal, uint64_t file_bytes)
{
    const struct heritage *heritage = journal->heritage;
    uint64_t used;
    int result = segment_store_slot_bytes(heritage->fds[HERITAGE_FD_SEGMENTS], heritage->slot, &used);
    if (result != 0)
        return result;
    return used + file_bytes > (uint64_t)heritage->settings->segments_limit_bytes ? -EDQUOT : 0;
}

/* The size of a new segment for a record with such a body. */
static uint64_t
file_bytes_for(const struct journal *journal, uint64_t body_bytes)
{
    uint64_t needed = segment_writer_file_bytes(body_bytes);
    uint64_t usual = (uint64_t)journal->heritage->settings->segments_size_bytes;
    return needed > usual ? needed : usual;
}

static int
begin_segment(struct journal *journal, uint64_t file_bytes)
{
    const struct heritage *heritage = journal->heritage;
    bool over_limit = false;
    int result = check_limit(journal, file_bytes);
    if (result == 0) {
        struct segment_identity identity = {heritage->slot, heritage->incarnation,
                                            journal->next_number};
        struct segment_writer *writer = NULL;
        result = segment_writer_create(&writer, heritage->fds[HERITAGE_FD_SEGMENTS], &identity,
                                       journal->next_sequence, file_bytes, journal->durable);
        (void)pthread_mutex_lock(&journal->sync_lock);
        journal->writer = writer;
        (void)pthread_mutex_unlock(&journal->sync_lock);
    } else {
        over_limit = result == -EDQUOT;
    }
    if (result == 0) {
        journal->next_number++;
        tell_directory_changed(heritage);
        return 0;
    }
    if (over_limit)
        (void)snprintf(journal->refusal_text, sizeof(journal->refusal_text),
                       "segments.limit_bytes (%" PRId64
                       ") is reached: records come faster than they are merged, or an output "
                       "cannot be written",
                       heritage->settings->segments_limit_bytes);
    else
        (void)snprintf(journal->refusal_text, sizeof(journal->refusal_text),
                       "no segment can be made in segments.directory: %s",
                       strerrordesc_np(-result));
    return result;
}

static void
note_refusal(struct journal *journal, int refusal, uint64_t file_bytes, uint64_t now_ms)
{
    journal->refusal = refusal;
    journal->refused_file_bytes = file_bytes;
    journal->retry_at_ms = now_ms + RETRY_MS;
}

static void
log_refusal(struct journal *journal, uint64_t now_ms)
{
    log_write_braked(&journal->brake, now_ms, LOG_LEVEL_ERROR, "calls are refused",
                     LOG_FIELDS(log_string("reason", journal->refusal_text)));
}

static void
note_relief(struct journal *journal)
{
    if (journal->refusal != 0)
        log_write(LOG_LEVEL_INFO, "calls are accepted again", NULL);
    journal->refusal = 0;
    journal->brake = (struct log_brake){0};
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
    uint64_t file_bytes = file_bytes_for(journal, 1);
    int result = begin_segment(journal, file_bytes);
    if (result != 0) {
        uint64_t now_ms = clock_monotonic_ms();
        note_refusal(journal, result, file_bytes, now_ms);
        log_refusal(journal, now_ms);
    }
    *out = journal;
    return 0;
}

/* Once a second: leaves a segment that somebody removed or truncated. What stands in it the collector
 * still reads, if it has it open. */
static void
check_intact(struct journal *journal, uint64_t now_ms)
{
    if (journal->writer == NULL || now_ms < journal->check_at_ms)
        return;
    journal->check_at_ms = now_ms + CHECK_MS;
    if (segment_writer_is_intact(journal->writer))
        return;
    log_write(LOG_LEVEL_ERROR, "the open segment was removed or truncated by somebody else", NULL);
    journal->next_sequence = segment_writer_next_sequence(journal->writer);
    (void)pthread_mutex_lock(&journal->sync_lock);
    segment_writer_abandon(&journal->writer);
    (void)pthread_mutex_unlock(&journal->sync_lock);
    tell_directory_changed(journal->heritage);
}

/* Has an open segment with room for such a body. *tried_r tells whether it had to try for one. Returns 0
 * or why there is none, a negative errno. */
static int
make_room(struct journal *journal, uint64_t body_bytes, uint64_t now_ms, bool *tried_r)
{
    *tried_r = false;
    if (journal->writer != NULL && segment_writer_fits(journal->writer, body_bytes))
        return 0;
    uint64_t file_bytes = file_bytes_for(journal, body_bytes);
    if (journal->refusal != 0 && now_ms < journal->retry_at_ms &&
        file_bytes >= journal->refused_file_bytes)
        return journal->refusal;
    *tried_r = true;
    /* Sealed even if no other can be begun: only a sealed segment is ever given back. */
    seal_segment(journal);
    int result = begin_segment(journal, file_bytes);
    if (result != 0)
        note_refusal(journal, result, file_bytes, now_ms);
    else
        note_relief(journal);
    return result;
}

void
journal_look(struct journal *journal, uint64_t now_ms)
{
    const struct heritage *heritage = journal->heritage;
    bool tried;
    if (journal->writer == NULL)
        (void)make_room(journal, 1, now_ms, &tried);
    atomic_store_explicit(&heritage->scoreboard->slots[heritage->slot].refuses,
                          journal->writer == NULL ? 1 : 0, memory_order_relaxed);
}

int
journal_append(struct journal *journal, const struct segment_record *record, uint64_t now_ms)
{
    bool tried;
    check_intact(journal, now_ms);
    int result = make_room(journal, record->name.size + record->payload.size, now_ms, &tried);
    if (result != 0) {
        if (tried)
            log_refusal(journal, now_ms);
        return result;
    }
    segment_writer_append(journal->writer, record);
    tell_appended(journal->heritage);
    return 0;
}

const char *
journal_refusal(const struct journal *journal)
{
    return journal->refusal_text;
}

void
journal_close(struct journal **jp)
{
    if (*jp == NULL)
        return;
    seal_segment(*jp);
    (void)pthread_mutex_destroy(&(*jp)->sync_lock);
    free(*jp);
    *jp = NULL;
}
