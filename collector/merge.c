/* merge.c -- the passes of the collector: from segments to outputs. Runs in the collector.
 *
 * Order: the segments of one incarnation are read one after the other, each to its end; those of
 * different workers take turns. An output that refuses (a full volume, a slow reader) holds up
 * nobody else: its records are passed over and remembered, the segments that hold them are kept,
 * and when it is tried again they are read again from there.
 */
#include "collector/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/backlog.h"
#include "collector/text_pool.h"
#include "collector/output/ledger.h"
#include "collector/output/output.h"
#include "collector/output/output_index.h"
#include "collector/input/sources.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/directory.h"
#include "common/heritage.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_store.h"

/* Bounds of one pass, over all segments. */
#define PASS_BYTES_MAX                                                                             \
    (1U << 20) /* stays in the processor's cache from the segment to the output */
#define PASS_BYTES_MAX_DURABLE (8U << 20) /* each waits for the disk several times */
#define PASS_RECORDS_MAX 65536U

struct merge {
    const struct heritage *heritage;
    struct sources sources;
    bool stale; /* the directory is to be read before the next pass */
    struct output **outputs;
    size_t output_count;
    size_t output_capacity;
    struct output_index index; /* of all outputs */
    size_t turn;               /* which segment the next pass begins with */
    struct text_pool texts;    /* the text of the pass */
    struct backlog backlog;
    uint64_t read_bytes; /* of segments, in this pass */
    bool behind;         /* the last pass left records unread that it could see */
    uint64_t
        reached_ns; /* then: when the earliest record that a segment was left at was appended */
    uint64_t quarantined; /* by the sources, as far as it has been counted */
    struct log_brake brake;
};

static int
add_output(struct merge *merge, struct output *output)
{
    int result = ARRAY_RESERVE(merge->outputs, merge->output_capacity, merge->output_count + 1);
    for (size_t i = 0; i < merge->sources.count && result == 0; i++)
        result = output_meet_source(output, merge->sources.list[i]);
    if (result == 0)
        result = output_index_add(&merge->index, output);
    if (result == 0)
        merge->outputs[merge->output_count++] = output;
    return result;
}

/* A ledger that is none is set aside: its output's records in the segments that are left may come
 * twice. */
static void
quarantine_ledger(const struct merge *merge, const char *name)
{
    log_write(LOG_LEVEL_ERROR,
              "a damaged ledger is set aside in " SEGMENT_DIRECTORY_QUARANTINE
              "/; records that are still in segments may be written twice",
              LOG_FIELDS(log_string("ledger", name)));
    tally_add(&merge->heritage->scoreboard->collector.quarantined, 1);
    int result = segment_store_quarantine(merge->heritage->fds[HERITAGE_FD_SEGMENTS], name);
    if (result != 0)
        log_write(LOG_LEVEL_ERROR, "cannot set a damaged ledger aside",
                  LOG_FIELDS(log_string("ledger", name), log_error(result)));
}

/* Only a lack of memory or descriptors keeps the collector from starting; a ledger that cannot be read
 * keeps its own output waiting (output.c, make_ledger()). */
static int
recover_output(struct merge *merge, const char *ledger_name)
{
    struct output *output = NULL;
    int result = output_recover(&output, merge->heritage, ledger_name);
    if (result == 0)
        result = add_output(merge, output);
    if (result == 0)
        return 0;
    output_close(&output, false);
    if (result == -EBADMSG || result == -EPROTO || result == -EISDIR || result == -ELOOP ||
        result == -ENXIO) {
        quarantine_ledger(merge, ledger_name);
        return 0;
    }
    if (result == -ENOMEM || result == -EMFILE || result == -ENFILE)
        return result;
    log_write(LOG_LEVEL_ERROR, "cannot read a ledger; its output waits",
              LOG_FIELDS(log_string("ledger", ledger_name), log_error(result)));
    return 0;
}

/* Makes an output of an entry of the segment directory, if it is a ledger. */
static int
visit_entry(void *context, const struct dirent *entry)
{
    return ledger_name_is(entry->d_name) ? recover_output(context, entry->d_name) : 0;
}

/* Makes an output of every ledger. */
static int
recover_outputs(struct merge *merge)
{
    return directory_read(merge->heritage->fds[HERITAGE_FD_SEGMENTS], ".", visit_entry, merge);
}

int
merge_open(struct merge **out, const struct heritage *heritage)
{
    struct merge *merge = calloc(1, sizeof(*merge));
    if (merge == NULL)
        return -ENOMEM;
    merge->heritage = heritage;
    merge->stale = true;
    bool durable = heritage->settings->segments_durability == DURABILITY_MACHINE;
    merge->texts.capacity = durable ? PASS_BYTES_MAX_DURABLE : PASS_BYTES_MAX;
    sources_init(&merge->sources, heritage->fds[HERITAGE_FD_SEGMENTS], durable);
    int result = recover_outputs(merge);
    if (result != 0) {
        merge_close(&merge);
        return result;
    }
    /* All of them before anything is written: two outputs may be two names of one file. */
    for (size_t i = 0; i < merge->output_count; i++)
        output_undo(merge->outputs[i], clock_monotonic_ms());
    *out = merge;
    return 0;
}

void
merge_look_again(struct merge *merge)
{
    merge->stale = true;
}

/* Tells every output of every source that is new. */
static int
introduce_sources(struct merge *merge)
{
    for (size_t i = 0; i < merge->sources.count; i++) {
        struct source *source = merge->sources.list[i];
        for (size_t j = 0; j < merge->output_count && !source->met; j++) {
            int result = output_meet_source(merge->outputs[j], source);
            if (result != 0)
                return result;
        }
        source->met = true;
    }
    return 0;
}

/* Without memory a record could only be passed over, and its output not know that it was. */
_Noreturn static void
fail(int error)
{
    log_write(LOG_LEVEL_ERROR, "the collector cannot go on", LOG_FIELDS(log_error(error)));
    exit(EXIT_FAILURE);
}

/* The output a record is for; made if it is new. */
static struct output *
find_output(struct merge *merge, const struct segment_record *record)
{
    struct output *output = output_index_find(&merge->index, record->kind, record->name);
    if (output != NULL)
        return output;
    int result = output_open(&output, merge->heritage, record->kind, record->name);
    if (result == 0)
        result = add_output(merge, output);
    if (result != 0)
        fail(result);
    return output;
}

/* Hands one record to its output, or passes it over. */
static void
route_record(struct merge *merge, struct source *source, const struct segment_record *record,
             struct segment_position at)
{
    struct output *output = find_output(merge, record);
    if (output_has_consumed(output, source, at.offset))
        return;
    if (output_is_blocked(output)) {
        output_pass_over(output, source, at, record);
        return;
    }
    struct segment_record kept = *record;
    int result = text_pool_add(&merge->texts, record->payload, &kept.payload);
    if (result == 0)
        result = output_queue(output, source, at, source->position.offset, &kept);
    if (result != 0)
        fail(result);
}

/* Reads one segment as far as its share of the pass goes. Returns the number of records read. */
static size_t
read_source(struct merge *merge, struct source *source, size_t records_max, size_t bytes_max)
{
    size_t records = 0;
    size_t bytes = 0;
    uint64_t begin = source->position.offset;
    struct segment_record record = {.appended_ns = 0};
    struct segment_position at;
    while (records < records_max && bytes < bytes_max &&
           source_next(&merge->sources, source, &record, &at) == SEGMENT_NEXT_RECORD) {
        route_record(merge, source, &record, at);
        records++;
        bytes += record.name.size + record.payload.size;
    }
    if (records == records_max || bytes >= bytes_max) {
        merge->behind = true;
        if (record.appended_ns < merge->reached_ns)
            merge->reached_ns = record.appended_ns;
    }
    merge->read_bytes += source->position.offset - begin;
    return records;
}

static size_t
read_sources(struct merge *merge)
{
    struct sources *sources = &merge->sources;
    size_t readable = 0;
    merge->behind = false;
    merge->reached_ns = UINT64_MAX;
    merge->read_bytes = 0;
    for (size_t i = 0; i < sources->count; i++)
        readable += sources_may_read(sources, i) ? 1 : 0;
    if (readable == 0)
        return 0;
    size_t records_max = PASS_RECORDS_MAX / readable + 1;
    size_t bytes_max = merge->texts.capacity / readable + 1;
    size_t records = 0;
    merge->turn++;
    for (size_t step = 0; step < sources->count; step++) {
        size_t i = (merge->turn + step) % sources->count;
        if (!sources_may_read(sources, i))
            continue;
        records += read_source(merge, sources->list[i], records_max, bytes_max);
        source_pause(sources->list[i]);
    }
    return records;
}

/* Once the time of one output that refused has come, tries them all, and goes back to what was passed
 * over if one of them can take something: to go back once serves all. */
static void
retry_outputs(struct merge *merge, uint64_t now_ms)
{
    bool unblocked = false;
    if (merge_retry_in_ms(merge, now_ms) != 0)
        return;
    for (size_t i = 0; i < merge->output_count; i++) {
        if (output_is_blocked(merge->outputs[i]) && output_retry(merge->outputs[i], now_ms))
            unblocked = true;
    }
    for (size_t i = 0; i < merge->sources.count && unblocked; i++)
        source_rewind(merge->sources.list[i]);
}

/* True if another output has a batch to take back in the file that this one writes to. */
static bool
must_wait(const struct merge *merge, const struct output *output)
{
    for (size_t i = 0; i < merge->output_count; i++) {
        if (output_is_unfinished(merge->outputs[i]) &&
            output_stands_in_the_way_of(merge->outputs[i], output))
            return true;
    }
    return false;
}

static void
deliver_all(struct merge *merge, uint64_t now_ms)
{
    bool unfinished = false;
    for (size_t i = 0; i < merge->output_count; i++)
        unfinished = unfinished || output_is_unfinished(merge->outputs[i]);
    for (size_t i = 0; i < merge->output_count; i++) {
        if (unfinished && must_wait(merge, merge->outputs[i]))
            output_postpone(merge->outputs[i], now_ms);
        else
            output_deliver(merge->outputs[i], &merge->sources, now_ms);
    }
}

static void
forget_source(void *context, size_t index)
{
    struct merge *merge = context;
    for (size_t i = 0; i < merge->output_count; i++)
        output_forget_source(merge->outputs[i], index);
}

static int
refresh(struct merge *merge, uint64_t now_ms)
{
    int result = sources_refresh(&merge->sources, now_ms);
    if (result == 0)
        result = introduce_sources(merge);
    if (result == 0)
        merge->stale = false;
    else
        log_write_braked(&merge->brake, now_ms, LOG_LEVEL_ERROR,
                         "cannot read the segment directory; trying again",
                         LOG_FIELDS(log_error(result)));
    return result;
}

/* Tells the scoreboard how things stand. */
static void
publish(struct merge *merge)
{
    struct collector_tally *tally = &merge->heritage->scoreboard->collector;
    uint64_t bytes = 0;
    uint64_t unmerged = 0;
    uint64_t refusing = 0;
    uint64_t oldest_ns = merge->behind ? merge->reached_ns : UINT64_MAX;
    for (size_t i = 0; i < merge->sources.count; i++) {
        bytes += merge->sources.list[i]->facts.file_bytes;
        unmerged += source_unmerged_bytes(merge->sources.list[i]);
    }
    for (size_t i = 0; i < merge->output_count; i++) {
        refusing += output_is_blocked(merge->outputs[i]) ? 1 : 0;
        if (output_oldest_ns(merge->outputs[i]) < oldest_ns)
            oldest_ns = output_oldest_ns(merge->outputs[i]);
    }
    tally_set(&tally->segments, merge->sources.count);
    tally_set(&tally->segment_bytes, bytes);
    tally_set(&tally->unmerged_bytes, unmerged);
    tally_set(&tally->outputs, merge->output_count);
    tally_set(&tally->outputs_refusing, refusing);
    tally_set(&tally->oldest_ns, oldest_ns == UINT64_MAX ? 0 : oldest_ns);
    tally_add(&tally->quarantined, merge->sources.quarantined - merge->quarantined);
    merge->quarantined = merge->sources.quarantined;
}

int64_t
merge_pass(struct merge *merge, uint64_t now_ms)
{
    if (merge->stale) {
        int result = refresh(merge, now_ms);
        if (result != 0)
            return result;
    }
    retry_outputs(merge, now_ms);
    size_t records = read_sources(merge);
    deliver_all(merge, now_ms);
    text_pool_empty(&merge->texts);
    backlog_note(&merge->backlog, merge->read_bytes, records, merge->behind, &merge->sources);
    sources_retire(&merge->sources, forget_source, merge);
    publish(merge);
    return (int64_t)records;
}

bool
merge_is_behind(const struct merge *merge)
{
    return merge->behind;
}

uint64_t
merge_retry_in_ms(const struct merge *merge, uint64_t now_ms)
{
    uint64_t soonest = UINT64_MAX;
    for (size_t i = 0; i < merge->output_count; i++) {
        uint64_t in_ms = output_retry_in_ms(merge->outputs[i], now_ms);
        if (in_ms < soonest)
            soonest = in_ms;
    }
    return soonest;
}

void
merge_reopen(struct merge *merge)
{
    for (size_t i = 0; i < merge->output_count; i++)
        output_release(merge->outputs[i]);
}

void
merge_release_idle(struct merge *merge)
{
    size_t kept = 0;
    for (size_t i = 0; i < merge->output_count; i++) {
        struct output *output = merge->outputs[i];
        output_release(output);
        if (merge->stale || !output_is_forgettable(output, &merge->sources)) {
            merge->outputs[kept++] = output;
            continue;
        }
        output_close(&output, true);
    }
    text_pool_clear(&merge->texts);
    sources_trim(&merge->sources);
    if (kept == merge->output_count)
        return;
    merge->output_count = kept;
    output_index_empty(&merge->index);
    for (size_t i = 0; i < kept; i++)
        INVARIANT(output_index_add(&merge->index, merge->outputs[i]) == 0);
}

bool
merge_is_empty(const struct merge *merge)
{
    return !merge->stale && merge->sources.count == 0 && merge->sources.unreadable == 0;
}

void
merge_log_unmerged(const struct merge *merge)
{
    size_t blocked = 0;
    for (size_t i = 0; i < merge->output_count; i++)
        blocked += output_is_blocked(merge->outputs[i]) ? 1 : 0;
    log_write(LOG_LEVEL_WARNING,
              "not everything could be merged in time; the next start goes on from here",
              LOG_FIELDS(log_u64("segments", merge->sources.count),
                         log_u64("outputs_refusing", blocked)));
}

void
merge_close(struct merge **mp)
{
    struct merge *merge = *mp;
    if (merge == NULL)
        return;
    *mp = NULL;
    for (size_t i = 0; i < merge->output_count; i++)
        output_close(&merge->outputs[i], false);
    free(merge->outputs);
    output_index_clear(&merge->index);
    text_pool_clear(&merge->texts);
    sources_clear(&merge->sources);
    free(merge);
}
