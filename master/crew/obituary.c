/* obituary.c -- words the end of a child. Runs in the master. */
#include "master/crew/obituary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "master/crew/slot.h"

#define PHRASE_BYTES 48

/* How it ended: one field. */
static struct log_field
describe_end(int status, char signal_name[PHRASE_BYTES])
{
    if (WIFEXITED(status))
        return log_i64("exit_code", WEXITSTATUS(status));
    const char *name = sigabbrev_np(WTERMSIG(status));
    if (name != NULL)
        (void)snprintf(signal_name, PHRASE_BYTES, "SIG%s", name);
    else
        (void)snprintf(signal_name, PHRASE_BYTES, "%d", WTERMSIG(status));
    return log_string("signal", signal_name);
}

static void
describe_next(const struct slot *slot, uint64_t now_ms, char next[PHRASE_BYTES])
{
    const char *phrase = "none";
    if (slot->state == SLOT_FAILED)
        phrase = "given up";
    else if (slot->state == SLOT_BACKOFF && slot->start_at_ms <= now_ms)
        phrase = "respawn now";
    else if (slot->state == SLOT_BACKOFF)
        phrase = NULL;
    if (phrase != NULL)
        (void)snprintf(next, PHRASE_BYTES, "%s", phrase);
    else
        (void)snprintf(next, PHRASE_BYTES, "respawn in %" PRIu64 " ms", slot->start_at_ms - now_ms);
}

static enum log_level
level_of(const struct obituary *obituary, const struct slot *slot)
{
    if (slot->state == SLOT_FAILED)
        return LOG_LEVEL_ERROR;
    if (obituary->draining && WIFEXITED(obituary->status) && WEXITSTATUS(obituary->status) == 0)
        return LOG_LEVEL_INFO;
    return LOG_LEVEL_WARNING;
}

void
obituary_write(const struct obituary *obituary, const struct slot *slot, uint64_t now_ms)
{
    char signal_name[PHRASE_BYTES];
    char next[PHRASE_BYTES];
    describe_next(slot, now_ms, next);
    bool core = WIFSIGNALED(obituary->status) && WCOREDUMP(obituary->status);
    log_write(level_of(obituary, slot), obituary->event,
              LOG_FIELDS(log_u64("slot", obituary->slot), log_i64("child_pid", obituary->pid),
                         log_u64("incarnation", obituary->incarnation),
                         describe_end(obituary->status, signal_name),
                         log_string("core", core ? "yes" : "no"),
                         log_string("doomed", slot_doom_name(slot->doom)),
                         log_string("draining", obituary->draining ? "yes" : "no"),
                         log_u64("age_ms", obituary->age_ms),
                         log_u64("connections", obituary->connections), log_string("next", next)));
}
