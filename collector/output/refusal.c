/* refusal.c -- the back-off of an output. Runs in the collector. */
#include "collector/output/refusal.h"

#include <errno.h>
#include <stddef.h>

#include "base/invariant.h"

#define RETRY_MS_MIN 20
#define RETRY_MS_MAX 1000

void
refusal_begin(struct refusal *refusal, const char *name, int error, uint64_t now_ms)
{
    refusal->retry_ms = refusal->retry_ms == 0 ? RETRY_MS_MIN : refusal->retry_ms * 2;
    if (refusal->retry_ms > RETRY_MS_MAX)
        refusal->retry_ms = RETRY_MS_MAX;
    refusal->retry_at_ms = now_ms + refusal->retry_ms;
    refusal->stands = true;
    refusal->error = error;
    /* A slow reader of standard output is no error; anything that lasts is. */
    if (error != -EAGAIN)
        log_write_braked(&refusal->brake, now_ms, LOG_LEVEL_ERROR,
                         "cannot write an output; its records are kept and tried again",
                         LOG_FIELDS(log_string("output", name), log_error(error)));
}

void
refusal_note_ready(struct refusal *refusal)
{
    INVARIANT(refusal->stands);
    refusal->stands = false;
}

void
refusal_note_progress(struct refusal *refusal)
{
    refusal->retry_ms = 0;
}

void
refusal_end(struct refusal *refusal, const char *name)
{
    if (refusal->brake.next_ms != 0) {
        log_write(LOG_LEVEL_INFO, "the output can be written again",
                  LOG_FIELDS(log_string("output", name)));
        refusal->brake = (struct log_brake){0};
    }
    refusal->stands = false;
    refusal->oldest_ns = 0;
}

void
refusal_add_waiting(struct refusal *refusal, uint64_t appended_ns)
{
    if (appended_ns != 0 && (refusal->oldest_ns == 0 || appended_ns < refusal->oldest_ns))
        refusal->oldest_ns = appended_ns;
}

uint64_t
refusal_retry_in_ms(const struct refusal *refusal, uint64_t now_ms)
{
    if (!refusal->stands)
        return UINT64_MAX;
    return refusal->retry_at_ms > now_ms ? refusal->retry_at_ms - now_ms : 0;
}
