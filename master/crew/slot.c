/* slot.c -- the state machine of one supervised process. Runs in the master.
 *
 * The rules, and why: a process that served and died is replaced at once, as clients wait. Back-off
 * comes only when no other worker is healthy, so that a client that can crash its own worker cannot
 * deny service to the others. A process that never got to serve is waited for longer and longer,
 * then given up. Exit codes 64 to 78 say "do not respawn me".
 */
#include "master/crew/slot.h"

#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/invariant.h"

static uint64_t
lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool
is_running(const struct slot *slot)
{
    return slot->state == SLOT_STARTING || slot->state == SLOT_READY ||
           slot->state == SLOT_DRAINING;
}

#define TO(state) (1U << (state))

/* Which states may follow each. */
static const unsigned successors[SLOT_STATES] = {
    [SLOT_EMPTY] = TO(SLOT_EMPTY) | TO(SLOT_BACKOFF),
    [SLOT_STARTING] = TO(SLOT_READY) | TO(SLOT_DRAINING) | TO(SLOT_BACKOFF) | TO(SLOT_FAILED),
    [SLOT_READY] = TO(SLOT_DRAINING) | TO(SLOT_BACKOFF) | TO(SLOT_FAILED),
    [SLOT_DRAINING] = TO(SLOT_DRAINING) | TO(SLOT_EMPTY),
    [SLOT_BACKOFF] = TO(SLOT_BACKOFF) | TO(SLOT_STARTING) | TO(SLOT_EMPTY),
    [SLOT_FAILED] = TO(SLOT_EMPTY),
};

/* Every change of state goes through here. The pid is set or cleared before. */
static void
enter(struct slot *slot, enum slot_state state)
{
    INVARIANT((successors[slot->state] & TO(state)) != 0);
    slot->state = state;
    INVARIANT(is_running(slot) == (slot->pid > 0));
}

bool
slot_status_is_final(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) >= EX__BASE && WEXITSTATUS(status) <= EX__MAX;
}

static void
back_off(struct slot *slot, uint64_t limit_ms, uint64_t now_ms)
{
    enter(slot, SLOT_BACKOFF);
    slot->start_at_ms = now_ms + lesser(slot->backoff_ms, limit_ms);
    slot->backoff_ms = lesser(slot->backoff_ms * 2, slot->rules->backoff_ms_max);
}

void
slot_init(struct slot *slot, const struct slot_rules *rules)
{
    memset(slot, 0, sizeof(*slot));
    slot->rules = rules;
    slot->state = SLOT_EMPTY;
    slot->backoff_ms = rules->backoff_ms_min;
}

void
slot_start(struct slot *slot, uint64_t now_ms)
{
    INVARIANT(slot->state == SLOT_EMPTY);
    enter(slot, SLOT_BACKOFF);
    slot->start_at_ms = now_ms;
}

void
slot_spawned(struct slot *slot, pid_t pid, uint64_t incarnation, uint64_t heartbeat,
             uint64_t now_ms)
{
    INVARIANT(slot->state == SLOT_BACKOFF && pid > 0);
    slot->pid = pid;
    enter(slot, SLOT_STARTING);
    slot->doom = SLOT_DOOM_NONE;
    slot->incarnation = incarnation;
    slot->spawned_ms = now_ms;
    slot->kill_at_ms = now_ms + slot->rules->start_limit_ms;
    slot->heartbeat = heartbeat;
    slot->heartbeat_ms = now_ms;
}

void
slot_spawn_failed(struct slot *slot, uint64_t now_ms)
{
    INVARIANT(slot->state == SLOT_BACKOFF);
    back_off(slot, slot->rules->backoff_ms_max, now_ms);
}

bool
slot_ready(struct slot *slot, uint64_t now_ms)
{
    if (slot->state != SLOT_STARTING || slot->doom != SLOT_DOOM_NONE)
        return false;
    enter(slot, SLOT_READY);
    slot->ready_ms = now_ms;
    slot->heartbeat_ms = now_ms;
    slot->kill_at_ms = SLOT_NEVER;
    slot->start_deaths = 0;
    return true;
}

static void
ended_finally(struct slot *slot, uint64_t now_ms)
{
    if (slot->rules->may_fail) {
        enter(slot, SLOT_FAILED);
        return;
    }
    slot->backoff_ms = slot->rules->backoff_ms_max;
    back_off(slot, slot->rules->backoff_ms_max, now_ms);
}

static void
died_starting(struct slot *slot, uint64_t now_ms)
{
    slot->start_deaths++;
    if (slot->rules->may_fail && slot->start_deaths >= slot->rules->start_deaths_max)
        enter(slot, SLOT_FAILED);
    else
        back_off(slot, slot->rules->backoff_ms_max, now_ms);
}

static void
died_ready(struct slot *slot, bool veteran, uint64_t now_ms)
{
    if (now_ms - slot->ready_ms >= slot->rules->good_life_ms) {
        slot->backoff_ms = slot->rules->backoff_ms_min;
        slot->ready_deaths = 0;
    }
    enter(slot, SLOT_BACKOFF);
    if (slot->ready_deaths == 0)
        slot->start_at_ms = now_ms;
    else if (veteran)
        slot->start_at_ms = greater(now_ms, slot->spawned_ms + slot->rules->spacing_ms);
    else
        back_off(slot, slot->rules->ready_backoff_ms_max, now_ms);
    slot->ready_deaths++;
}

void
slot_exited(struct slot *slot, int status, bool veteran, uint64_t now_ms)
{
    INVARIANT(is_running(slot) && slot->pid > 0);
    slot->pid = 0;
    if (slot->state == SLOT_DRAINING)
        enter(slot, SLOT_EMPTY);
    else if (slot_status_is_final(status))
        ended_finally(slot, now_ms);
    else if (slot->state == SLOT_STARTING)
        died_starting(slot, now_ms);
    else
        died_ready(slot, veteran, now_ms);
}

bool
slot_drain(struct slot *slot, uint64_t kill_at_ms)
{
    if (!is_running(slot)) {
        enter(slot, SLOT_EMPTY);
        return false;
    }
    if (slot->state == SLOT_STARTING)
        slot->kill_at_ms = SLOT_NEVER; /* the limit on starting counts no more */
    enter(slot, SLOT_DRAINING);
    slot->kill_at_ms = lesser(slot->kill_at_ms, kill_at_ms);
    return true;
}

static enum slot_doom
doom_of_state(enum slot_state state)
{
    switch (state) {
    case SLOT_STARTING:
        return SLOT_DOOM_SLOW_START;
    case SLOT_READY:
        return SLOT_DOOM_STALLED;
    case SLOT_DRAINING:
        return SLOT_DOOM_SLOW_DRAIN;
    case SLOT_EMPTY:
    case SLOT_BACKOFF:
    case SLOT_FAILED:
    case SLOT_STATES:
        break;
    }
    return SLOT_DOOM_NONE;
}

static void
doom(struct slot *slot)
{
    if (slot->doom == SLOT_DOOM_NONE)
        slot->doom = doom_of_state(slot->state);
    INVARIANT(slot->doom != SLOT_DOOM_NONE && slot->pid > 0);
}

/* True once, when a READY process that is not doomed has missed its heartbeat. */
static bool
has_stalled(struct slot *slot, uint64_t heartbeat, uint64_t now_ms)
{
    if (slot->state != SLOT_READY || slot->doom != SLOT_DOOM_NONE)
        return false;
    if (heartbeat != slot->heartbeat) {
        slot->heartbeat = heartbeat;
        slot->heartbeat_ms = now_ms;
    }
    return now_ms - slot->heartbeat_ms >= slot->rules->stall_limit_ms;
}

enum slot_action
slot_tick(struct slot *slot, uint64_t heartbeat, uint64_t now_ms)
{
    if (slot->state == SLOT_BACKOFF)
        return now_ms >= slot->start_at_ms ? SLOT_ACTION_SPAWN : SLOT_ACTION_NONE;
    if (!is_running(slot))
        return SLOT_ACTION_NONE;
    if (has_stalled(slot, heartbeat, now_ms)) {
        doom(slot);
        slot->kill_at_ms = now_ms + slot->rules->abort_grace_ms;
        return SLOT_ACTION_ABORT;
    }
    if (now_ms >= slot->kill_at_ms) {
        doom(slot);
        slot->kill_at_ms = SLOT_NEVER;
        return SLOT_ACTION_KILL;
    }
    return SLOT_ACTION_NONE;
}

uint64_t
slot_deadline_ms(const struct slot *slot)
{
    switch (slot->state) {
    case SLOT_BACKOFF:
        return slot->start_at_ms;
    case SLOT_STARTING:
    case SLOT_DRAINING:
        return slot->kill_at_ms;
    case SLOT_READY:
        if (slot->doom != SLOT_DOOM_NONE)
            return slot->kill_at_ms;
        return slot->heartbeat_ms + slot->rules->stall_limit_ms;
    case SLOT_EMPTY:
    case SLOT_FAILED:
    case SLOT_STATES:
        break;
    }
    return SLOT_NEVER;
}

bool
slot_is_healthy(const struct slot *slot)
{
    return slot->state == SLOT_READY && slot->doom == SLOT_DOOM_NONE;
}

const char *
slot_doom_text(enum slot_doom doom)
{
    static const char *const texts[] = {
        [SLOT_DOOM_NONE] = NULL,
        [SLOT_DOOM_SLOW_START] = "took too long to start",
        [SLOT_DOOM_STALLED] = "stalled",
        [SLOT_DOOM_SLOW_DRAIN] = "took too long to end",
    };
    _Static_assert(sizeof(texts) / sizeof(texts[0]) == SLOT_DOOMS, "each doom has a text");
    INVARIANT((unsigned)doom < SLOT_DOOMS);
    return texts[doom];
}
