/* source.c -- reads one segment, from where it was left. Runs in the collector. */
#include "collector/input/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "segment/segment_store.h"

/* Goes from one phase to the next. */
static void
enter_phase(struct source *source, enum source_phase phase)
{
    static const bool may_follow[][SOURCE_RETIRED + 1] = {
        [SOURCE_FOLLOWED] = {[SOURCE_FINAL] = true},
        [SOURCE_FINAL] = {[SOURCE_ENDED] = true},
        [SOURCE_ENDED] = {[SOURCE_FINAL] = true, [SOURCE_RETIRED] = true},
        [SOURCE_RETIRED] = {false},
    };
    INVARIANT(may_follow[source->phase][phase]);
    INVARIANT(source->damage == NULL || source->phase == SOURCE_ENDED);
    source->phase = phase;
}

int
source_open_reader(struct source_means *means, const struct source *source,
                   struct segment_reader **out)
{
    /* Its writer may rename it at any moment; one of the two names is right. */
    struct segment_entry entry = {source->facts.identity, source_is_final(source)
                                                              ? SEGMENT_STATE_SEALED
                                                              : SEGMENT_STATE_OPEN};
    int fd = segment_store_open(means->directory_fd, &entry);
    if (fd == -ENOENT) {
        entry.state = SEGMENT_STATE_SEALED;
        fd = segment_store_open(means->directory_fd, &entry);
    }
    if (fd < 0)
        return fd;
    /* Where a writer is followed, the system must not read ahead: it would make and zero pages that
     * are written next. If this is refused, it does. */
    if (!source_is_final(source))
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    int result = segment_reader_open(out, fd, &source->facts, &means->window);
    if (result != 0)
        (void)close(fd);
    return result;
}

/* The source has been read to its end, or to the damage that the literal names. */
static void
end_source(struct source *source, const char *damage)
{
    enter_phase(source, SOURCE_ENDED);
    source->damage = damage;
}

/* The source cannot be read now, for a reason that is no damage: it waits, however long that
 * lasts. */
static void
note_failure(struct source_means *means, struct source *source, const char *reason)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (source->failing_since_ms == 0)
        source->failing_since_ms = now_ms;
    log_write_braked(
        &means->failing_brake, now_ms, LOG_LEVEL_ERROR, "cannot read a segment; it is tried again",
        LOG_FIELDS(log_u64("segment_slot", source->facts.identity.slot),
                   log_u64("incarnation", source->facts.identity.incarnation),
                   log_u64("number", source->facts.identity.number),
                   log_u64("offset", source->position.offset), log_string("reason", reason)));
}

/* Opens the source where it was left. False if it cannot be read now, or has ended by that. */
static bool
open_source(struct source_means *means, struct source *source)
{
    int result = source_open_reader(means, source, &source->reader);
    if (result == 0) {
        segment_reader_seek(source->reader, source->position);
        return true;
    }
    if (result == -ENOENT && source_is_final(source))
        end_source(source, NULL);
    else if (result != -ENOENT)
        note_failure(means, source, strerrordesc_np(-result));
    return false;
}

enum segment_next
source_next(struct source_means *means, struct source *source, struct segment_record *record_r,
            struct segment_position *at_r)
{
    if (source_has_ended(source))
        return SEGMENT_NEXT_NONE;
    /* Read before the record: only what is missing after the writer was gone is missing for
     * good. */
    bool final = source_is_final(source);
    if (source->reader == NULL && !open_source(means, source))
        return SEGMENT_NEXT_NONE;
    *at_r = segment_reader_position(source->reader);
    enum segment_next next = segment_reader_next(source->reader, record_r);
    if (next == SEGMENT_NEXT_RECORD) {
        source->position = segment_reader_position(source->reader);
        source->failing_since_ms = 0;
        return SEGMENT_NEXT_RECORD;
    }
    if (next == SEGMENT_NEXT_NONE && final)
        next = segment_reader_judge_end(source->reader);
    switch (next) {
    case SEGMENT_NEXT_RECORD:
    case SEGMENT_NEXT_NONE:
    case SEGMENT_NEXT_SEALED:
        if (final)
            end_source(source, NULL);
        break;
    case SEGMENT_NEXT_DAMAGED:
        if (final)
            end_source(source, segment_reader_fault(source->reader));
        else /* nobody else would say so, and its writer may go on for long */
            note_failure(means, source, segment_reader_fault(source->reader));
        break;
    case SEGMENT_NEXT_FAILED:
        note_failure(means, source, segment_reader_fault(source->reader));
        break;
    }
    return SEGMENT_NEXT_NONE;
}

void
source_sync(struct source *source)
{
    if (source->phase == SOURCE_FOLLOWED && source->reader != NULL &&
        source->position.offset > source->synced_offset)
        segment_reader_sync(source->reader);
    source->synced_offset = source->position.offset;
}

void
source_pause(struct source *source)
{
    /* One that somebody removed could not be opened again. */
    if (source_has_ended(source) || (source_is_final(source) && source->missing_since_ms == 0))
        segment_reader_close(&source->reader);
}

void
source_note_final(struct source *source)
{
    if (source->phase == SOURCE_FOLLOWED)
        enter_phase(source, SOURCE_FINAL);
}

void
source_note_retired(struct source *source)
{
    INVARIANT(source_is_done(source));
    enter_phase(source, SOURCE_RETIRED);
}

void
source_skip(struct source *source, struct segment_position at)
{
    INVARIANT(at.offset != 0 && at.offset < source->position.offset);
    if (source->skipped.offset == 0 || at.offset < source->skipped.offset)
        source->skipped = at;
}

void
source_rewind(struct source *source, struct segment_position to, struct segment_position kept)
{
    INVARIANT(source->skipped.offset != 0 && source->skipped.offset <= to.offset);
    INVARIANT(kept.offset == 0 || kept.offset >= source->skipped.offset);
    source->skipped = kept;
    if (to.offset >= source->position.offset)
        return;
    source->position = to;
    source->damage = NULL;
    if (source->phase == SOURCE_ENDED)
        enter_phase(source, SOURCE_FINAL);
    if (source->reader != NULL)
        segment_reader_seek(source->reader, source->position);
}

void
source_keep(struct source *source, struct segment_position kept)
{
    INVARIANT(kept.offset == 0 || kept.offset >= source->skipped.offset);
    source->skipped = kept;
}

uint64_t
source_unmerged_bytes(const struct source *source)
{
    uint64_t from = source->position.offset;
    if (source->skipped.offset != 0 && source->skipped.offset < from)
        from = source->skipped.offset;
    uint64_t end =
        source->phase == SOURCE_FINAL ? source->facts.file_bytes : source->position.offset;
    return end - from;
}
