/* sources_refresh.c -- brings the list of segments up to date with the segment directory: meets new
 * files, takes over those whose writer died, notices those that somebody removed. Runs in the
 * collector. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/input/sources_private.h"

/* A file missing from the directory for so long has been removed by somebody else. */
#define MISSING_MS 3000

static void
log_segment(enum log_level level, const char *event, const struct segment_identity *identity,
            struct log_field detail)
{
    log_write(level, event,
              LOG_FIELDS(log_u64("segment_slot", identity->slot),
                         log_u64("incarnation", identity->incarnation),
                         log_u64("number", identity->number), detail));
}

/* A file seen for the first time: reads its header and lists it, or sets it aside. */
static int
meet_file(struct sources *sources, const struct segment_entry *entry)
{
    int fd = segment_store_open(sources->means.directory_fd, entry);
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
        return sources_add(sources, &facts, entry->state == SEGMENT_STATE_SEALED);
    if (result == -EBADMSG && entry->state == SEGMENT_STATE_SEALED)
        return sources_quarantine(sources, entry, 0, 0, reason);
    return result; /* a header damaged under a living writer may be judged once it is sealed */
}

/* The source for a listed file: among those known before, or the one just met under its other name
 * (a directory read while a file in it is renamed may show both). */
static struct source *
find_known_or_last(const struct sources *sources, size_t known_count,
                   const struct segment_identity *identity)
{
    struct source *source = sources_find(sources, known_count, identity);
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
    int result = segment_store_take_over(sources->means.directory_fd, &entry->identity);
    if (result == 0) {
        log_segment(LOG_LEVEL_INFO, "took over a segment whose writer is gone", &entry->identity,
                    log_string("state", "sealed"));
        entry->state = SEGMENT_STATE_SEALED;
    }
    if (result == -ENOENT)
        return -ESTALE;
    if (result == -ELOOP || result == -EISDIR || result == -ENXIO)
        return sources_quarantine(sources, entry, 0, 0, "it is no regular file");
    if (result == -EEXIST)
        return sources_quarantine(sources, entry, 0, 0,
                                  "there is a sealed segment of the same name");
    return result == -EAGAIN ? 0 : result;
}

/* What one listed file means: taken over where its writer died, then met or updated. */
static int
visit_entry(struct sources *sources, size_t known_count, struct segment_entry *entry)
{
    if (entry->state == SEGMENT_STATE_NEW) {
        (void)segment_store_remove_new(sources->means.directory_fd, &entry->identity);
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
    if (entry->state == SEGMENT_STATE_SEALED)
        source_note_final(source);
    return 0;
}

/* Errors that mean the directory was not seen as a whole; all others are about one file. */
static bool
is_about_all(int error)
{
    return error == -ESTALE || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Visits every file listed. One that cannot be read is passed over, and tried again with every look
 * at the directory. For a moment it holds up those behind it in its incarnation, for the sake of
 * their order, and no others. */
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
            sources_log_stuck(sources, identity, result);
        }
        struct source *source = find_known_or_last(sources, known_count, identity);
        if (source == NULL)
            continue;
        source->missing_since_ms = 0; /* it is listed, whatever else is wrong with it */
        source->held = patient && unreadable != NULL && unreadable != identity &&
                       segment_identity_same_incarnation(unreadable, identity);
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
        if (source->missing_since_ms == 0 || source_is_final(source))
            continue;
        /* A listing may miss a file that is renamed meanwhile; a name that is asked for is
         * there. */
        if (!sources_is_gone(sources, &source->facts.identity)) {
            source->missing_since_ms = 0;
            continue;
        }
        if (now_ms - source->missing_since_ms >= MISSING_MS) {
            log_segment(LOG_LEVEL_ERROR, "a segment was removed by somebody else",
                        &source->facts.identity,
                        log_string("unread", source->reader == NULL ? "all of it" : "nothing"));
            source_note_final(source);
        }
    }
}

/* True if a file is new and the one before it in its incarnation is there, but neither listed nor
 * known: the directory was read while that one was renamed, and showed it under neither name. */
static bool
predecessor_was_missed(const struct sources *sources, const struct segment_entry *entries, size_t i)
{
    struct segment_identity before = entries[i].identity;
    if (before.number == 0 || sources_find(sources, sources->count, &entries[i].identity) != NULL)
        return false;
    before.number--;
    return (i == 0 || segment_identity_compare(&entries[i - 1].identity, &before) != 0) &&
           sources_find(sources, sources->count, &before) == NULL &&
           !sources_is_gone(sources, &before);
}

/* Lists the directory. Returns 0 or a negative errno; -ESTALE if the look has missed a file: order
 * depends on seeing them all. */
static int
list_directory(const struct sources *sources, struct segment_entry **entries_r, size_t *count_r)
{
    int result = segment_store_list(sources->means.directory_fd, entries_r, count_r);
    for (size_t i = 0; result == 0 && i < *count_r; i++)
        result = predecessor_was_missed(sources, *entries_r, i) ? -ESTALE : 0;
    return result;
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
        sources_sort(sources);
        if (result == 0)
            look_for_missing(sources, now_ms);
        sources->durable = sources->durable_by_setting || sources_are_durable(sources);
        if (result != -ESTALE)
            return result;
    }
    return -ESTALE;
}
