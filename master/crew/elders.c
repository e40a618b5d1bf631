/* elders.c -- a list of processes that are on their way out. Runs in the master. */
#include "master/crew/elders.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "master/takeover/handover.h"
#include "master/crew/obituary.h"
#include "master/crew/slot.h"

/* The others end at their next step, unless the disk holds them up. */
#define HELPER_PATIENCE_MS 5000

struct place {
    struct elder elder;
    uint64_t since_ms;   /* when it was taken up */
    uint64_t kill_at_ms; /* SLOT_NEVER until it is told to end, and once it was killed */
    bool killed;
};

struct elders {
    size_t count;
    struct place places[];
};

static void
tell(struct place *place, int signal_number, uint64_t kill_at_ms)
{
    place->elder.told = 1;
    if (kill_at_ms < place->kill_at_ms)
        place->kill_at_ms = kill_at_ms;
    (void)kill((pid_t)place->elder.pid, signal_number);
}

int
elders_open(struct elders **out, const struct elder *list, size_t count, uint64_t now_ms)
{
    struct elders *elders = calloc(1, sizeof(*elders) + count * sizeof(struct place));
    if (elders == NULL)
        return -ENOMEM;
    elders->count = count;
    for (size_t i = 0; i < count; i++) {
        struct place *place = &elders->places[i];
        place->elder = list[i];
        place->since_ms = now_ms;
        place->kill_at_ms = list[i].told ? now_ms + list[i].patience_ms : SLOT_NEVER;
        if (list[i].role != ELDER_WORKER)
            tell(place, SIGQUIT, now_ms + HELPER_PATIENCE_MS);
    }
    *out = elders;
    return 0;
}

void
elders_close(struct elders **ep)
{
    free(*ep);
    *ep = NULL;
}

bool
elders_bury(struct elders *elders, pid_t pid, int status, uint64_t now_ms)
{
    size_t i = 0;
    while (i < elders->count && elders->places[i].elder.pid != pid)
        i++;
    if (i == elders->count)
        return false;
    static const char *const ended[] = {"earlier worker ended", "earlier collector ended",
                                        "earlier admin ended"};
    const struct place *place = &elders->places[i];
    const struct slot none = {.state = SLOT_EMPTY,
                              .doom = place->killed ? SLOT_DOOM_SLOW_DRAIN : SLOT_DOOM_NONE};
    struct obituary obituary = {
        .event = ended[place->elder.role],
        .slot = place->elder.slot,
        .pid = pid,
        .incarnation = place->elder.incarnation,
        .status = status,
        .age_ms = place->elder.age_ms + (now_ms - place->since_ms),
        .draining = place->elder.told != 0,
    };
    obituary_write(&obituary, &none, now_ms);
    elders->places[i] = elders->places[--elders->count];
    return true;
}

bool
elders_have_workers(const struct elders *elders)
{
    for (size_t i = 0; i < elders->count; i++) {
        if (elders->places[i].elder.role == ELDER_WORKER)
            return true;
    }
    return false;
}

bool
elders_serve(const struct elders *elders)
{
    for (size_t i = 0; i < elders->count; i++) {
        if (!elders->places[i].elder.told)
            return true; /* a worker: the others are told at once */
    }
    return false;
}

bool
elders_are_left(const struct elders *elders)
{
    return elders->count > 0;
}

void
elders_drain(struct elders *elders, uint64_t now_ms)
{
    for (size_t i = 0; i < elders->count; i++) {
        struct place *place = &elders->places[i];
        if (!place->elder.told)
            tell(place, SIGINT, now_ms + place->elder.patience_ms); /* see common/child.h */
    }
}

void
elders_stop(struct elders *elders, uint64_t kill_at_ms)
{
    for (size_t i = 0; i < elders->count; i++)
        tell(&elders->places[i], SIGQUIT, kill_at_ms);
}

void
elders_tick(struct elders *elders, uint64_t now_ms)
{
    for (size_t i = 0; i < elders->count; i++) {
        struct place *place = &elders->places[i];
        if (now_ms < place->kill_at_ms)
            continue;
        log_write(
            LOG_LEVEL_ERROR, "killing a process from before the reload",
            LOG_FIELDS(log_u64("slot", place->elder.slot), log_i64("child_pid", place->elder.pid)));
        place->kill_at_ms = SLOT_NEVER;
        place->killed = true;
        (void)kill((pid_t)place->elder.pid, SIGKILL);
    }
}

uint64_t
elders_deadline_ms(const struct elders *elders)
{
    uint64_t earliest = SLOT_NEVER;
    for (size_t i = 0; i < elders->count; i++) {
        if (elders->places[i].kill_at_ms < earliest)
            earliest = elders->places[i].kill_at_ms;
    }
    return earliest;
}

size_t
elders_export(const struct elders *elders, struct elder *list, uint64_t now_ms)
{
    for (size_t i = 0; i < elders->count && list != NULL; i++) {
        const struct place *place = &elders->places[i];
        list[i] = place->elder;
        list[i].age_ms += now_ms - place->since_ms;
        if (place->elder.told)
            list[i].patience_ms = place->kill_at_ms > now_ms && place->kill_at_ms != SLOT_NEVER
                                      ? place->kill_at_ms - now_ms
                                      : 0;
    }
    return elders->count;
}
