/* backlog.c -- the lines about a backlog. Runs in the collector. */
#include "collector/backlog.h"

#include "base/clock.h"
#include "base/log.h"
#include "collector/input/sources.h"

#define LINE_MS 1000

/* One that was shorter and smaller is what any busy moment leaves. */
#define WORTH_A_LINE_BYTES (64ULL << 20)

static uint64_t
mib_per_s(uint64_t bytes, uint64_t ms)
{
    return bytes * 1000 / (ms == 0 ? 1 : ms) >> 20;
}

/* What is still to be read of segments that nobody writes any more: bytes, and how many
 * segments. */
static uint64_t
count_left(const struct sources *sources, uint64_t *segments_r)
{
    uint64_t bytes = 0;
    *segments_r = 0;
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = sources->list[i];
        if (source->phase != SOURCE_FINAL)
            continue;
        bytes += source->facts.file_bytes - source->position.offset;
        ++*segments_r;
    }
    return bytes;
}

static void
log_progress(const struct backlog *backlog, uint64_t now_ms, const struct sources *sources)
{
    uint64_t segments;
    uint64_t bytes = count_left(sources, &segments);
    log_write(LOG_LEVEL_INFO, "merging a backlog",
              LOG_FIELDS(log_u64("merged_bytes", backlog->merged_bytes),
                         log_u64("found_bytes", backlog->merged_bytes + bytes),
                         log_u64("records", backlog->records),
                         log_u64("mib_per_s",
                                 mib_per_s(backlog->merged_bytes, now_ms - backlog->begun_ms)),
                         log_u64("left_bytes", bytes), log_u64("left_segments", segments)));
}

static void
log_end(const struct backlog *backlog, uint64_t now_ms)
{
    uint64_t ms = now_ms - backlog->begun_ms;
    if (ms < LINE_MS && backlog->merged_bytes < WORTH_A_LINE_BYTES)
        return;
    log_write(LOG_LEVEL_INFO, "the backlog is merged",
              LOG_FIELDS(log_u64("merged_bytes", backlog->merged_bytes),
                         log_u64("records", backlog->records), log_u64("ms", ms),
                         log_u64("mib_per_s", mib_per_s(backlog->merged_bytes, ms))));
}

void
backlog_note(struct backlog *backlog, uint64_t bytes, uint64_t records, bool behind,
             const struct sources *sources)
{
    if (backlog->begun_ms == 0 && !behind)
        return;
    uint64_t now_ms = clock_monotonic_ms();
    if (backlog->begun_ms == 0)
        *backlog = (struct backlog){.begun_ms = now_ms, .next_line_ms = now_ms + LINE_MS};
    backlog->merged_bytes += bytes;
    backlog->records += records;
    if (!behind) {
        log_end(backlog, now_ms);
        *backlog = (struct backlog){0};
    } else if (now_ms >= backlog->next_line_ms) {
        log_progress(backlog, now_ms, sources);
        backlog->next_line_ms = now_ms + LINE_MS;
    }
}
