/* sources.c -- finds and retires segments; source.c reads them. Runs in the collector. */
#include "collector/input/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/invariant.h"
#include "base/log.h"
#include "segment/segment_store.h"

/* A file missing from the directory for so long has been removed by somebody else. */
#define MISSING_MS 3000

void
sources_init(struct sources *sources, int directory_fd, bool durable)
{
    *sources = (struct sources){.directory_fd = directory_fd, .durable = durable};
}

static void
log_segment(enum log_level level, const char *event, const struct segment_identity *identity,
            struct log_field detail)
{
    log_write(level, event,
              LOG_FIELDS(log_u64("segment_slot", identity->slot),
                         log_u64("incarnation", identity->incarnation),
                         log_u64("number", identity->number), detail));
}

/* Says so when a file cannot be got out of the way; it is tried again with every pass. */
static void
log_stuck(struct sources *sources, const struct segment_identity *identity, int error)
{
    log_write_braked(&sources->stuck_brake, clock_monotonic_ms(), LOG_LEVEL_ERROR,
                     "cannot remove or set aside a segment",
                     LOG_FIELDS(log_u64("segment_slot", identity->slot),
                                log_u64("incarnation", identity->incarnation),
                                log_u64("number", identity->number), log_error(error)));
}

/* Sets a file aside whose damage begins at `offset`. Returns 0 or a negative errno. */
static int
quarantine(struct sources *sources, const struct segment_entry *entry, uint64_t offset,
           uint64_t records_before, const char *reason)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(name, &entry->identity, entry->state);
    int result = segment_store_quarantine(sources->directory_fd, name);
    if (result != 0) {
        log_stuck(sources, &entry->identity, result);
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

static struct source *
find_source(const struct sources *sources, size_t count, const struct segment_identity *identity)
{
    struct source **found = count == 0 ? NULL
                                       : bsearch(identity, sources->list, count,
                                                 sizeof(struct source *), compare_source);
    return found == NULL ? NULL : *found;
}

/* Room for one more source, and for its index when it is given back: every index below index_end may
 * be free at once. */
static int
make_room(struct sources *sources)
{
    int result = ARRAY_RESERVE(sources->list, sources->capacity, sources->count + 1);
    if (result == 0)
        result =
            ARRAY_RESERVE(sources->free_indexes, sources->free_capacity, sources->index_end + 1);
    return result;
}

/* Puts a new source at the end of the list; the caller sorts. */
static int
add_source(struct sources *sources, const struct segment_facts *facts, bool final)
{
    int result = make_room(sources);
    if (result != 0)
        return result;
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return -ENOMEM;
    source->facts = *facts;
    source->final = final;
    source->position = facts->start;
    source->index = sources->free_count > 0 ? sources->free_indexes[--sources->free_count]
                                            : sources->index_end++;
    sources->list[sources->count++] = source;
    return 0;
}

/* A file seen for the first time: reads its header and lists it, or sets it aside. */
static int
meet_file(struct sources *sources, const struct segment_entry *entry)
{
    int fd = segment_store_open(sources->directory_fd, entry);
    if (fd == -ENOENT)
        return -ESTALE; /* renamed since it was listed: list again */
    if (fd < 0 && fd != -ELOOP && fd != -ENXIO)
        return fd;
    struct segment_facts facts;
    const char *reason = "it is no regular file";
    int result = fd < 0 ? -EBADMSG : segment_facts_read(&facts, fd, &entry->identity, &reason);
    if (fd >= 0)
        (void)close(fd);
    if (result == 0)
        return add_source(sources, &facts, entry->state == SEGMENT_STATE_SEALED);
    if (result == -EBADMSG && entry->state == SEGMENT_STATE_SEALED)
        return quarantine(sources, entry, 0, 0, reason);
    return result; /* a header damaged under a living writer may be judged once it is sealed */
}

/* The source for a listed file: among those known before, or the one just met under its other name
 * (a directory read while a file in it is renamed may show both). */
static struct source *
find_known_or_last(const struct sources *sources, size_t known_count,
                   const struct segment_identity *identity)
{
    struct source *source = find_source(sources, known_count, identity);
    if (source == NULL && sources->count > known_count) {
        struct source *last = sources->list[sources->count - 1];
        if (segment_identity_compare(&last->facts.identity, identity) == 0)
            source = last;
    }
    return source;
}

/* Seals the file of an incarnation whose writer is gone. Returns 0, also if the writer lives. */
static int
take_over(struct sources *sources, struct segment_entry *entry)
{
    int result = segment_store_take_over(sources->directory_fd, &entry->identity);
    if (result == 0) {
        log_segment(LOG_LEVEL_INFO, "took over a segment whose writer is gone", &entry->identity,
                    log_string("state", "sealed"));
        entry->state = SEGMENT_STATE_SEALED;
    }
    if (result == -ENOENT)
        return -ESTALE;
    if (result == -ELOOP || result == -EISDIR || result == -ENXIO)
        return quarantine(sources, entry, 0, 0, "it is no regular file");
    if (result == -EEXIST)
        return quarantine(sources, entry, 0, 0, "there is a sealed segment of the same name");
    return result == -EAGAIN ? 0 : result;
}

/* What one listed file means: taken over where its writer died, then met or updated. */
static int
visit_entry(struct sources *sources, size_t known_count, struct segment_entry *entry)
{
    if (entry->state == SEGMENT_STATE_NEW) {
        (void)segment_store_remove_new(sources->directory_fd, &entry->identity);
        return 0;
    }
    if (entry->state == SEGMENT_STATE_OPEN) {
        int result = take_over(sources, entry);
        if (result != 0)
            return result;
    }
    struct source *source = find_known_or_last(sources, known_count, &entry->identity);
    if (source == NULL)
        return meet_file(sources, entry);
    source->missing_since_ms = 0;
    if (entry->state == SEGMENT_STATE_SEALED)
        source->final = true;
    return 0;
}

/* Errors that mean the directory was not seen as a whole; all others are about one file. */
static bool
is_about_all(int error)
{
    return error == -ESTALE || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static bool
same_incarnation(const struct segment_identity *a, const struct segment_identity *b)
{
    return a->slot == b->slot && a->incarnation == b->incarnation;
}

/* Visits every file listed. One that cannot be read is passed over, and tried again with every look at the
 * directory: it holds up those behind it in its incarnation for a moment, for the sake of their order, and
 * no others. */
static int
visit_entries(struct sources *sources, struct segment_entry *entries, size_t count, uint64_t now_ms)
{
    size_t known_count = sources->count;
    const struct segment_identity *unreadable = NULL; /* the last one */
    bool patient = sources->unreadable_since_ms == 0 ||
                   now_ms - sources->unreadable_since_ms < SOURCE_FAILING_MS;
    sources->unreadable = 0;
    for (size_t i = 0; i < count; i++) {
        const struct segment_identity *identity = &entries[i].identity;
        int result = visit_entry(sources, known_count, &entries[i]);
        if (is_about_all(result))
            return result;
        if (result != 0) {
            sources->unreadable++;
            unreadable = identity;
            log_stuck(sources, identity, result);
        }
        struct source *source = find_known_or_last(sources, known_count, identity);
        if (source != NULL)
            source->held = patient && unreadable != NULL && unreadable != identity &&
                           same_incarnation(unreadable, identity);
    }
    if (sources->unreadable == 0)
        sources->unreadable_since_ms = 0;
    else if (sources->unreadable_since_ms == 0)
        sources->unreadable_since_ms = now_ms;
    return 0;
}

/* Notices files that somebody removed. What a writer that lives on appends until it notices too (a
 * second) is still read, since the file is open; then the source is final. */
static void
look_for_missing(struct sources *sources, uint64_t now_ms)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->list[i];
        if (source->missing_since_ms == 0 || source->final)
            continue;
        if (now_ms - source->missing_since_ms >= MISSING_MS) {
            log_segment(LOG_LEVEL_ERROR, "a segment was removed by somebody else",
                        &source->facts.identity,
                        log_string("unread", source->reader == NULL ? "all of it" : "nothing"));
            source->final = true;
        }
    }
}

/* True if a file is new and the one before it in its incarnation is neither listed nor known. That
 * one may have been merged long ago; or the directory was read while it was renamed, and showed it
 * under neither name. */
static bool
predecessor_is_missing(const struct sources *sources, const struct segment_entry *entries, size_t i)
{
    struct segment_identity before = entries[i].identity;
    if (before.number == 0 || find_source(sources, sources->count, &entries[i].identity) != NULL)
        return false;
    before.number--;
    return (i == 0 || segment_identity_compare(&entries[i - 1].identity, &before) != 0) &&
           find_source(sources, sources->count, &before) == NULL;
}

/* Lists the directory, a second time if the first look may have missed a file: order depends on
 * seeing them all. */
static int
list_directory(const struct sources *sources, struct segment_entry **entries_r, size_t *count_r)
{
    int result = segment_store_list(sources->directory_fd, entries_r, count_r);
    bool missing = false;
    for (size_t i = 0; result == 0 && i < *count_r && !missing; i++)
        missing = predecessor_is_missing(sources, *entries_r, i);
    if (!missing)
        return result;
    free(*entries_r);
    *entries_r = NULL;
    return segment_store_list(sources->directory_fd, entries_r, count_r);
}

int
sources_refresh(struct sources *sources, uint64_t now_ms)
{
    for (int attempt = 0; attempt < 8; attempt++) {
        struct segment_entry *entries = NULL;
        size_t count = 0;
        int result = list_directory(sources, &entries, &count);
        for (size_t i = 0; i < sources->count && result == 0; i++) {
            if (sources->list[i]->missing_since_ms == 0)
                sources->list[i]->missing_since_ms = now_ms; /* until it is visited */
        }
        if (result == 0)
            result = visit_entries(sources, entries, count, now_ms);
        free(entries);
        if (sources->count > 1)
            qsort(sources->list, sources->count, sizeof(struct source *), compare_sources);
        if (result == 0)
            look_for_missing(sources, now_ms);
        if (result != -ESTALE)
            return result;
    }
    return -ESTALE;
}

/* Gets the source's file out of the way. Returns 0 or a negative errno: then it must stay known, or it
 * would be met again as a new one. */
static int
retire_file(struct sources *sources, const struct source *source)
{
    if (source->damage != NULL)
        return quarantine(sources,
                          &(struct segment_entry){source->facts.identity, SEGMENT_STATE_SEALED},
                          source->position.offset,
                          source->position.sequence - source->facts.start.sequence, source->damage);
    int result = segment_store_remove(sources->directory_fd, &source->facts.identity);
    if (result != 0)
        log_stuck(sources, &source->facts.identity, result);
    return result;
}

/* Gets the files out of the way whose time has come. True if there were any. */
static bool
retire_files(struct sources *sources)
{
    bool any = false;
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->list[i];
        if (source->ended && source->skipped.offset == 0 && retire_file(sources, source) == 0) {
            source->retired = true;
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
        segment_store_sync(sources->directory_fd);
    crash_point("sources.retired");
    size_t kept = 0;
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->list[i];
        if (!source->retired) {
            sources->list[kept++] = source;
            continue;
        }
        forget(context, source->index);
        sources->free_indexes[sources->free_count++] = source->index;
        free(source);
    }
    sources->count = kept;
}

void
sources_trim(struct sources *sources)
{
    segment_window_clear(&sources->window);
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
    segment_window_clear(&sources->window);
    sources_init(sources, sources->directory_fd, sources->durable);
}
