/* obituary.c -- words the end of a child. Runs in the master. */
#include "master/crew/obituary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/invariant.h"
#include "base/log.h"

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

/* What becomes of its slot: one field, whose text is in `next`. */
static struct log_field
describe_next(const struct obituary *obituary, char next[PHRASE_BYTES])
{
    if (obituary->next_state == SLOT_FAILED)
        return log_string("next", "given up");
    if (obituary->next_in_ms == 0)
        return log_string("next", "respawn now");
    (void)snprintf(next, PHRASE_BYTES, "respawn in %" PRIu64 " ms", obituary->next_in_ms);
    return log_string("next", next);
}

static enum log_level
level_of(const struct obituary *obituary)
{
    if (obituary->next_state == SLOT_FAILED)
        return LOG_LEVEL_ERROR;
    if (obituary->draining && WIFEXITED(obituary->status) && WEXITSTATUS(obituary->status) == 0)
        return LOG_LEVEL_INFO;
    return LOG_LEVEL_WARNING;
}

void
obituary_write(const struct obituary *obituary)
{
    char event[PHRASE_BYTES];
    char signal_name[PHRASE_BYTES];
    char next[PHRASE_BYTES];
    struct log_field fields[LOG_FIELDS_MAX + 1];
    size_t count = 0;
    bool core = WIFSIGNALED(obituary->status) && WCOREDUMP(obituary->status);
    INVARIANT(obituary->pid > 0);
    /* "worker ended", "old collector ended" and the like. */
    (void)snprintf(event, sizeof(event), "%s%s ended", obituary->is_old ? "old " : "",
                   role_name(obituary->role));
    fields[count++] = log_u64("slot", obituary->slot);
    fields[count++] = log_i64("child_pid", obituary->pid);
    fields[count++] = log_u64("incarnation", obituary->incarnation);
    fields[count++] = describe_end(obituary->status, signal_name);
    if (core)
        fields[count++] = log_string("core", "yes");
    if (obituary->doom != SLOT_DOOM_NONE)
        fields[count++] = log_string("killed_because", slot_doom_text(obituary->doom));
    fields[count++] = log_string("draining", obituary->draining ? "yes" : "no");
    fields[count++] = log_u64("age_ms", obituary->age_ms);
    fields[count++] = log_u64("connections", obituary->connections);
    if (obituary->next_state == SLOT_FAILED || obituary->next_state == SLOT_BACKOFF)
        fields[count++] = describe_next(obituary, next);
    fields[count] = (struct log_field){.key = NULL};
    INVARIANT(count <= LOG_FIELDS_MAX);
    log_write(level_of(obituary), event, fields);
}
