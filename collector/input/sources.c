/* sources.c -- keeps the list of the segments there are, and gets those that are done out of the
 * way; sources_refresh.c finds them. Runs in the collector. */
#include "collector/input/sources.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/input/sources_private.h"

void
sources_init(struct sources *sources, int directory_fd, bool durable)
{
    *sources = (struct sources){
        .means = {.directory_fd = directory_fd}, .durable = durable, .durable_by_setting = durable};
}

void
sources_log_stuck(struct sources *sources, const struct segment_identity *identity, int error)
{
    log_write_braked(&sources->stuck_brake, clock_monotonic_ms(), LOG_LEVEL_ERROR,
                     "cannot remove or set aside a segment",
                     LOG_FIELDS(log_u64("segment_slot", identity->slot),
                                log_u64("incarnation", identity->incarnation),
                                log_u64("number", identity->number), log_error(error)));
}

int
sources_quarantine(struct sources *sources, const struct segment_entry *entry, uint64_t offset,
                   uint64_t records_before, const char *reason)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(name, &entry->identity, entry->state);
    int result = segment_store_quarantine(sources->means.directory_fd, name);
    if (result != 0) {
        sources_log_stuck(sources, &entry->identity, result);
        return result;
    }
    sources->quarantined++;
    log_write(LOG_LEVEL_ERROR,
              "a damaged segment is set aside in " SEGMENT_DIRECTORY_QUARANTINE "/",
              LOG_FIELDS(log_string("segment", name), log_u64("offset", offset),
                         log_u64("records_before", records_before), log_string("reason", reason),
                         log_u64("quarantined", sources->quarantined)));
    return 0;
}

static int
compare_source(const void *key, const void *element)
{
    const struct source *const *source = element;
    return segment_identity_compare(key, &(*source)->facts.identity);
}

static int
compare_sources(const void *a, const void *b)
{
    const struct source *const *left = a;
    return compare_source(&(*left)->facts.identity, b);
}

struct source *
sources_find(const struct sources *sources, size_t count, const struct segment_identity *identity)
{
    struct source **found = count == 0 ? NULL
                                       : bsearch(identity, sources->list, count,
                                                 sizeof(struct source *), compare_source);
    return found == NULL ? NULL : *found;
}

/* Room for one more source, and for its index when it is given back: every index below index_end
 * may be free at once. */
static int
make_room(struct sources *sources)
{
    int result = ARRAY_RESERVE(sources->list, sources->capacity, sources->count + 1);
    if (result == 0)
        result =
            ARRAY_RESERVE(sources->free_indexes, sources->free_capacity, sources->index_end + 1);
    return result;
}

int
sources_add(struct sources *sources, const struct segment_facts *facts, bool final)
{
    int result = make_room(sources);
    if (result != 0)
        return result;
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return -ENOMEM;
    source->facts = *facts;
    source->phase = final ? SOURCE_FINAL : SOURCE_FOLLOWED;
    source->position = facts->start;
    source->index = sources->free_count > 0 ? sources->free_indexes[--sources->free_count]
                                            : sources->index_end++;
    sources->list[sources->count++] = source;
    return 0;
}

void
sources_sort(struct sources *sources)
{
    if (sources->count > 1)
        qsort(sources->list, sources->count, sizeof(struct source *), compare_sources);
}

bool
sources_is_gone(const struct sources *sources, const struct segment_identity *identity)
{
    return segment_store_has(sources->means.directory_fd, identity) == -ENOENT;
}

struct source *
sources_find_id(const struct sources *sources, const struct segment_id *id)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (memcmp(&sources->list[i]->facts.id, id, sizeof(*id)) == 0)
            return sources->list[i];
    }
    return NULL;
}

bool
sources_are_durable(const struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->list[i]->facts.durable)
            return true;
    }
    return false;
}

/* Whether the source cannot be read for longer than others wait for it. */
static bool
is_failing(const struct source *source, uint64_t now_ms)
{
    return source->failing_since_ms != 0 && now_ms >= source->failing_since_ms &&
           now_ms - source->failing_since_ms >= SOURCE_FAILING_MS;
}

/* It is not enough to look at the one before: what was passed over in an earlier one may be read
 * again, while nothing was in the one before. */
bool
sources_may_read(const struct sources *sources, size_t i, uint64_t now_ms)
{
    const struct source *source = sources->list[i];
    if (source_has_ended(source) || source->held)
        return false;
    for (; i > 0; i--) {
        const struct source *before = sources->list[i - 1];
        if (!segment_identity_same_incarnation(&before->facts.identity, &source->facts.identity))
            return true;
        if (!source_has_ended(before) && !is_failing(before, now_ms))
            return false;
    }
    return true;
}

void
sources_sync(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->list[i]->facts.durable)
            source_sync(sources->list[i]);
    }
}

/* Gets the source's file out of the way. Returns 0 or a negative errno: then it must stay known, or
 * it would be met again as a new one. */
static int
retire_file(struct sources *sources, const struct source *source)
{
    if (source->damage != NULL)
        return sources_quarantine(
            sources, &(struct segment_entry){source->facts.identity, SEGMENT_STATE_SEALED},
            source->position.offset, source->position.sequence - source->facts.start.sequence,
            source->damage);
    int result = segment_store_remove(sources->means.directory_fd, &source->facts.identity);
    if (result != 0)
        sources_log_stuck(sources, &source->facts.identity, result);
    return result;
}

/* Gets the files out of the way whose time has come. True if there were any. */
static bool
retire_files(struct sources *sources)
{
    bool any = false;
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->list[i];
        if (source_is_done(source) && retire_file(sources, source) == 0) {
            source_note_retired(source);
            any = true;
        }
    }
    return any;
}

void
sources_retire(struct sources *sources, void (*forget)(void *context, size_t index), void *context)
{
    if (!retire_files(sources))
        return;
    if (sources->durable)
        segment_store_sync(sources->means.directory_fd);
    crash_point("sources.retired");
    size_t kept = 0;
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->list[i];
        if (source->phase != SOURCE_RETIRED) {
            sources->list[kept++] = source;
            continue;
        }
        INVARIANT(source->reader == NULL && sources->free_count < sources->index_end);
        forget(context, source->index);
        sources->free_indexes[sources->free_count++] = source->index;
        free(source);
    }
    sources->count = kept;
}

void
sources_trim(struct sources *sources)
{
    segment_window_clear(&sources->means.window);
}

void
sources_clear(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        segment_reader_close(&sources->list[i]->reader);
        free(sources->list[i]);
    }
    free(sources->list);
    free(sources->free_indexes);
    segment_window_clear(&sources->means.window);
    sources_init(sources, sources->means.directory_fd, sources->durable_by_setting);
}
