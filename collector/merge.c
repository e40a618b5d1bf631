/* merge.c -- the passes of the collector: from segments to outputs. Runs in the collector.
 *
 * Order: the segments of one incarnation are read one after the other, each to its end; those of
 * different workers take turns. An output that refuses (a full volume, a slow reader) holds up
 * nobody else: its records are passed over and remembered, the segments that hold them are kept,
 * and when it is tried again they are read again from there.
 */
#include "collector/merge.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "collector/backlog.h"
#include "collector/input/sources.h"
#include "collector/output/output.h"
#include "collector/output/outputs.h"
#include "collector/set_aside.h"
#include "collector/text_pool.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_directory.h"
#include "segment/segment_store.h"

/* Bounds of one pass, over all segments. So many bytes stay in the processor's cache from the
 * segment to the output; with durability "machine" each pass waits for the disk several times, and
 * larger ones are worth that. */
#define PASS_BYTES_MAX (1U << 20)
#define PASS_BYTES_MAX_DURABLE (8U << 20)
#define PASS_RECORDS_MAX 65536U

/* So many descriptors the outputs leave for the segments of a pass and for what is looked up. */
#define FDS_RESERVED 16U

/* So often it is looked whether they are left. */
#define COUNT_FDS_MS 100U

struct merge {
    const struct heritage *heritage;
    struct sources sources;
    /* The directory is to be read before the next pass. */
    bool stale;
    /* The names in the directory, as this process found them, are on the disk. */
    bool names_durable;
    /* All ledgers that were found are secured: before that no segment may be removed. */
    bool secured;
    struct outputs outputs;
    struct set_aside set_aside;
    /* Which segment the next pass begins with. */
    size_t turn;
    /* The texts of the pass. */
    struct text_pool texts;
    struct backlog backlog;
    /* Bytes of segments that were read in this pass. */
    uint64_t read_bytes;
    /* The last pass left records unread that it could see. */
    bool behind;
    /* Of the segments that the last pass left unfinished: when the last record that it read was
     * appended, and of several segments the earliest. */
    uint64_t reached_ns;
    /* Files that the sources have set aside, as far as they have been counted. */
    uint64_t quarantined;
    /* When it is looked again whether descriptors are left. */
    uint64_t count_fds_at_ms;
    struct log_brake brake;
};

int
merge_open(struct merge **out, const struct heritage *heritage, struct sync_threads *threads)
{
    struct merge *merge = calloc(1, sizeof(*merge));
    if (merge == NULL)
        return -ENOMEM;
    merge->heritage = heritage;
    merge->stale = true;
    merge->set_aside.order_fd = -1;
    bool durable = heritage->settings->segments_durability == DURABILITY_MACHINE;
    merge->texts.capacity = durable ? PASS_BYTES_MAX_DURABLE : PASS_BYTES_MAX;
    sources_init(&merge->sources, heritage->fds[HERITAGE_FD_SEGMENTS], durable);
    outputs_init(&merge->outputs, heritage, threads);
    outputs_set_durable(&merge->outputs, durable);
    int result = outputs_recover(&merge->outputs);
    if (result != 0) {
        merge_close(&merge);
        return result;
    }
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
        int result = source->met ? 0 : outputs_meet_source(&merge->outputs, source);
        if (result != 0)
            return result;
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

/* The output of a record, which is the first one for it. */
static struct output *
make_output(struct merge *merge, const struct segment_record *record)
{
    struct output *output;
    int result =
        outputs_make(&merge->outputs, &merge->sources, record->kind, record->name, &output);
    if (result != 0)
        fail(result);
    return output;
}

/* Hands one record to its output, or passes it over. */
static void
route_record(struct merge *merge, struct source *source, const struct segment_record *record,
             struct segment_position at)
{
    struct output *output = outputs_find(&merge->outputs, record->kind, record->name);
    if (output == NULL)
        output = make_output(merge, record);
    if (output_has_consumed(output, source, at.offset))
        return;
    if (output_is_blocked(output)) {
        output_pass_over(output, source, at, record);
        return;
    }
    struct bytes text;
    int result = text_pool_add(&merge->texts, record->payload, &text);
    if (result == 0)
        result = output_queue(
            output,
            &(struct batch_origin){source, at, source->position.offset, record->appended_ns}, text);
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
           source_next(&merge->sources.means, source, &record, &at) == SEGMENT_NEXT_RECORD) {
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
read_sources(struct merge *merge, uint64_t now_ms)
{
    struct sources *sources = &merge->sources;
    size_t readable = 0;
    merge->behind = false;
    merge->reached_ns = UINT64_MAX;
    merge->read_bytes = 0;
    for (size_t i = 0; i < sources->count; i++)
        readable += sources_may_read(sources, i, now_ms) ? 1 : 0;
    if (readable == 0)
        return 0;
    size_t records_max = PASS_RECORDS_MAX / readable + 1;
    size_t bytes_max = merge->texts.capacity / readable + 1;
    size_t records = 0;
    merge->turn++;
    for (size_t step = 0; step < sources->count; step++) {
        size_t i = (merge->turn + step) % sources->count;
        if (!sources_may_read(sources, i, now_ms))
            continue;
        records += read_source(merge, sources->list[i], records_max, bytes_max);
        source_pause(sources->list[i]);
    }
    return records;
}

static void
forget_source(void *context, size_t index)
{
    struct merge *merge = context;
    outputs_forget_source(&merge->outputs, index);
}

/* Names that were seen may be in the memory of the kernel only: of a ledger that is new, or of a
 * segment that is no more. Once they are built upon, a loss of power must not change them. */
static void
make_names_durable(struct merge *merge)
{
    if (merge->names_durable || !merge->sources.durable)
        return;
    segment_store_sync(merge->sources.means.directory_fd);
    crash_point("merge.names_synced");
    merge->names_durable = true;
}

/* Tells the scoreboard how much somebody has to see to. */
static void
count_what_is_aside(const struct merge *merge)
{
    struct collector_tally *tally = &merge->heritage->scoreboard->collector;
    int segments_fd = merge->heritage->fds[HERITAGE_FD_SEGMENTS];
    uint64_t files;
    uint64_t bytes;
    if (segment_directory_count(segments_fd, SEGMENT_DIRECTORY_ASIDE, &files, &bytes) == 0) {
        tally_set(&tally->aside_files, files);
        tally_set(&tally->aside_bytes, bytes);
    }
    if (segment_directory_count(segments_fd, SEGMENT_DIRECTORY_QUARANTINE, &files, &bytes) == 0)
        tally_set(&tally->quarantine_files, files);
}

static int
refresh(struct merge *merge, uint64_t now_ms)
{
    int result = sources_refresh(&merge->sources, now_ms);
    if (result == 0)
        result = introduce_sources(merge);
    if (result == 0) {
        make_names_durable(merge);
        outputs_set_durable(&merge->outputs, merge->sources.durable);
        outputs_forget_gone(&merge->outputs, &merge->sources);
        count_what_is_aside(merge);
        merge->stale = false;
    } else {
        log_write_braked(&merge->brake, now_ms, LOG_LEVEL_ERROR,
                         "cannot read the segment directory; trying again",
                         LOG_FIELDS(log_error(result)));
    }
    return result;
}

/* Tells the scoreboard how things stand. */
static void
publish(struct merge *merge)
{
    struct collector_tally *tally = &merge->heritage->scoreboard->collector;
    uint64_t bytes = 0;
    uint64_t unmerged = 0;
    uint64_t oldest_ns = outputs_oldest_ns(&merge->outputs);
    if (merge->behind && merge->reached_ns < oldest_ns)
        oldest_ns = merge->reached_ns;
    for (size_t i = 0; i < merge->sources.count; i++) {
        bytes += merge->sources.list[i]->facts.file_bytes;
        unmerged += source_unmerged_bytes(merge->sources.list[i]);
    }
    tally_set(&tally->segments, merge->sources.count);
    tally_set(&tally->segment_bytes, bytes);
    tally_set(&tally->unmerged_bytes, unmerged);
    tally_set(&tally->outputs, merge->outputs.count);
    tally_set(&tally->outputs_refusing, outputs_refusing(&merge->outputs));
    tally_set(&tally->oldest_ns, oldest_ns == UINT64_MAX ? 0 : oldest_ns);
    tally_add(&tally->quarantined, merge->sources.quarantined - merge->quarantined);
    merge->quarantined = merge->sources.quarantined;
}

/* Sees to it that outputs leave some descriptors. An output that has none is seen to at once,
 * without this (outputs.c). */
static void
keep_descriptors(struct merge *merge, uint64_t now_ms)
{
    if (now_ms < merge->count_fds_at_ms)
        return;
    merge->count_fds_at_ms = now_ms + COUNT_FDS_MS;
    if (!descriptors_left(FDS_RESERVED))
        outputs_spare_descriptors(&merge->outputs);
}

int64_t
merge_pass(struct merge *merge, uint64_t now_ms)
{
    bool looked = merge->stale;
    keep_descriptors(merge, now_ms);
    if (merge->stale) {
        int result = refresh(merge, now_ms);
        if (result != 0)
            return result;
    }
    outputs_retry(&merge->outputs, &merge->sources, now_ms);
    merge->secured = merge->secured || outputs_are_secured(&merge->outputs);
    if (merge->secured && !set_aside_is_resolved(&merge->set_aside))
        set_aside_resolve(&merge->set_aside, &merge->outputs, &merge->sources, now_ms);
    if (looked || set_aside_is_under_way(&merge->set_aside))
        set_aside_step(&merge->set_aside, &merge->outputs, &merge->sources, now_ms);
    size_t records = read_sources(merge, now_ms);
    sources_sync(&merge->sources);
    outputs_deliver(&merge->outputs, &merge->sources, now_ms);
    text_pool_empty(&merge->texts);
    backlog_note(&merge->backlog, merge->read_bytes, records, merge->behind, &merge->sources);
    if (merge->secured && set_aside_is_resolved(&merge->set_aside))
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
    return outputs_retry_in_ms(&merge->outputs, now_ms);
}

void
merge_reopen(struct merge *merge)
{
    outputs_release(&merge->outputs);
}

void
merge_release_idle(struct merge *merge)
{
    outputs_release(&merge->outputs);
    if (!merge->stale)
        outputs_forget_idle(&merge->outputs, &merge->sources);
    text_pool_clear(&merge->texts);
    sources_trim(&merge->sources);
}

bool
merge_is_empty(const struct merge *merge)
{
    return !merge->stale && merge->sources.count == 0 && merge->sources.unreadable == 0;
}

void
merge_log_unmerged(const struct merge *merge)
{
    log_write(LOG_LEVEL_WARNING,
              "not everything could be merged in time; the next start goes on from here",
              LOG_FIELDS(log_u64("segments", merge->sources.count),
                         log_u64("outputs_refusing", outputs_refusing(&merge->outputs))));
}

void
merge_close(struct merge **mp)
{
    struct merge *merge = *mp;
    if (merge == NULL)
        return;
    *mp = NULL;
    set_aside_close(&merge->set_aside);
    outputs_clear(&merge->outputs);
    text_pool_clear(&merge->texts);
    sources_clear(&merge->sources);
    free(merge);
}
