/* delivery_count.c -- counts records as they reach their outputs. Runs in the collector. */
#include "collector/output/delivery_count.h"

#include "base/clock.h"
#include "base/log.h"
#include "collector/output/batch.h"
#include "common/heritage.h"
#include "common/scoreboard.h"

void
delivery_count_add(const struct heritage *heritage, const char *output, const struct batch *batch)
{
    struct collector_tally *tally = &heritage->scoreboard->collector;
    size_t count = batch->count;
    if (count == 0)
        return;
    uint64_t now_ns = clock_realtime_ns();
    uint64_t bytes = 0;
    uint32_t bucket = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t appended_ns = batch->origins[i].appended_ns;
        bytes += batch->payloads[i].iov_len;
        if (appended_ns != 0) /* the clock may have been set back */
            tally_observe_near(&tally->lags, now_ns > appended_ns ? now_ns - appended_ns : 0,
                               &bucket);
    }
    if (tally_get(&tally->records) == 0)
        log_write(LOG_LEVEL_INFO, "first record written",
                  LOG_FIELDS(log_string("output", output), log_u64("records", count),
                             log_u64("bytes", bytes)));
    tally_add(&tally->records, count);
    tally_add(&tally->bytes, bytes);
}
