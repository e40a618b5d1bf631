/* elders.c -- a list of processes that are on their way out. Runs in the master. */
#include "master/crew/elders.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "base/log.h"
#include "common/child.h"
#include "common/role.h"
#include "master/crew/obituary.h"
#include "master/crew/slot.h"
#include "master/crew/succession.h"

/* Who is no worker ends at its next step, unless the disk holds it up. */
#define HELPER_PATIENCE_MS 5000

enum elder_phase {
    ELDER_SERVING,
    ELDER_ENDING,
    ELDER_KILLED,
};

/* Where one elder stands. */
struct place {
    struct elder elder;
    enum elder_phase phase;
    /* When it was taken up. */
    uint64_t since_ms;
    /* While it is ENDING; else SLOT_NEVER. */
    uint64_t kill_at_ms;
};

struct elders {
    size_t count;
    struct place places[];
};

/* ---- the phases of one */

/* SERVING or ENDING becomes ENDING, with no more time than it had. */
static void
begin_ending(struct place *place, uint64_t kill_at_ms)
{
    INVARIANT(place->phase == ELDER_SERVING || place->phase == ELDER_ENDING);
    if (kill_at_ms < place->kill_at_ms)
        place->kill_at_ms = kill_at_ms;
    place->phase = ELDER_ENDING;
    INVARIANT(place->kill_at_ms != SLOT_NEVER);
}

static void
tell(struct place *place, enum child_order order, uint64_t kill_at_ms)
{
    if (place->phase == ELDER_KILLED)
        return;
    begin_ending(place, kill_at_ms);
    (void)kill((pid_t)place->elder.pid, child_order_signal(order));
}

/* ENDING becomes KILLED. */
static void
kill_elder(struct place *place)
{
    INVARIANT(place->phase == ELDER_ENDING);
    log_write(LOG_LEVEL_ERROR, "killing an old process",
              LOG_FIELDS(log_string("role", role_name(place->elder.role)),
                         log_u64("slot", place->elder.slot),
                         log_i64("child_pid", place->elder.pid)));
    place->phase = ELDER_KILLED;
    place->kill_at_ms = SLOT_NEVER;
    (void)kill((pid_t)place->elder.pid, SIGKILL);
}

static void
take_up(struct place *place, const struct elder *elder, uint64_t now_ms)
{
    INVARIANT(elder->pid > 1 && elder->role < ROLES);
    place->elder = *elder;
    place->phase = ELDER_SERVING;
    place->since_ms = now_ms;
    place->kill_at_ms = SLOT_NEVER;
    if (elder->told)
        begin_ending(place, now_ms + elder->patience_ms);
    if (elder->role != ROLE_WORKER)
        tell(place, CHILD_ORDER_STOP, now_ms + HELPER_PATIENCE_MS);
}

/* ---- the list */

int
elders_open(struct elders **out, const struct elder *list, size_t count, uint64_t now_ms)
{
    struct elders *elders = calloc(1, sizeof(*elders) + count * sizeof(struct place));
    if (elders == NULL)
        return -ENOMEM;
    elders->count = count;
    for (size_t i = 0; i < count; i++)
        take_up(&elders->places[i], &list[i], now_ms);
    *out = elders;
    return 0;
}

void
elders_close(struct elders **ep)
{
    free(*ep);
    *ep = NULL;
}

static struct obituary
word(const struct place *place, int status, uint64_t now_ms)
{
    const struct elder *elder = &place->elder;
    return (struct obituary){
        .role = elder->role,
        .is_old = true,
        .slot = elder->slot,
        .pid = (pid_t)elder->pid,
        .incarnation = elder->incarnation,
        .status = status,
        .doom = place->phase == ELDER_KILLED ? SLOT_DOOM_SLOW_DRAIN : SLOT_DOOM_NONE,
        .age_ms = elder->age_ms + (now_ms - place->since_ms),
        .draining = place->phase != ELDER_SERVING,
        .next_state = SLOT_EMPTY,
    };
}

bool
elders_bury(struct elders *elders, pid_t pid, int status, uint64_t now_ms)
{
    size_t i = 0;
    while (i < elders->count && elders->places[i].elder.pid != pid)
        i++;
    if (i == elders->count)
        return false;
    struct obituary obituary = word(&elders->places[i], status, now_ms);
    obituary_write(&obituary);
    elders->places[i] = elders->places[--elders->count];
    return true;
}

bool
elders_have_workers(const struct elders *elders)
{
    for (size_t i = 0; i < elders->count; i++) {
        if (elders->places[i].elder.role == ROLE_WORKER)
            return true;
    }
    return false;
}

bool
elders_serve(const struct elders *elders)
{
    for (size_t i = 0; i < elders->count; i++) {
        if (elders->places[i].phase == ELDER_SERVING) {
            INVARIANT(elders->places[i].elder.role == ROLE_WORKER);
            return true;
        }
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
        if (place->phase == ELDER_SERVING)
            tell(place, CHILD_ORDER_RETIRE, now_ms + place->elder.patience_ms);
    }
    INVARIANT(!elders_serve(elders));
}

void
elders_stop(struct elders *elders, uint64_t kill_at_ms)
{
    for (size_t i = 0; i < elders->count; i++)
        tell(&elders->places[i], CHILD_ORDER_STOP, kill_at_ms);
}

void
elders_tick(struct elders *elders, uint64_t now_ms)
{
    for (size_t i = 0; i < elders->count; i++) {
        if (now_ms >= elders->places[i].kill_at_ms)
            kill_elder(&elders->places[i]);
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

/* ---- handing on */

size_t
elders_count(const struct elders *elders)
{
    return elders->count;
}

static uint64_t
patience_left_ms(const struct place *place, uint64_t now_ms)
{
    switch (place->phase) {
    case ELDER_SERVING:
        return place->elder.patience_ms;
    case ELDER_ENDING:
        return place->kill_at_ms > now_ms ? place->kill_at_ms - now_ms : 0;
    case ELDER_KILLED:
        break;
    }
    return 0;
}

void
elders_export(const struct elders *elders, struct elder *list, uint64_t now_ms)
{
    for (size_t i = 0; i < elders->count; i++) {
        const struct place *place = &elders->places[i];
        list[i] = place->elder;
        list[i].age_ms += now_ms - place->since_ms;
        list[i].told = place->phase != ELDER_SERVING;
        list[i].patience_ms = patience_left_ms(place, now_ms);
    }
}
