/* slot.h -- the life of one supervised process, as pure logic: no system call, no clock but the one
 * passed in.
 *
 *   state     event              next state
 *   EMPTY     slot_start         BACKOFF, over at once
 *   BACKOFF   slot_spawned       STARTING
 *             slot_spawn_failed  BACKOFF, longer
 *   STARTING  slot_ready         READY
 *             slot_exited        BACKOFF; FAILED if it died too often or said "do not respawn me"
 *   READY     slot_exited        BACKOFF, over at once unless it keeps dying; FAILED as above
 *   any       slot_drain         DRAINING where a process runs, EMPTY where none does
 *   DRAINING  slot_exited        EMPTY
 *
 * The owner reports what happened, and asks slot_tick() what to do, at slot_deadline_ms() at the
 * latest. All times are milliseconds of one clock that never goes back. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_CREW_SLOT_H
#define MYGRPCADAPTER_MASTER_CREW_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/slot_state.h"

#define SLOT_NEVER UINT64_MAX

/* What the owner has to do now. */
enum slot_action {
    SLOT_ACTION_NONE,
    /* Fork, then call slot_spawned() or slot_spawn_failed(). */
    SLOT_ACTION_SPAWN,
    /* Send SIGABRT. */
    SLOT_ACTION_ABORT,
    /* Send SIGKILL. */
    SLOT_ACTION_KILL,
};

/* Why we ended a process ourselves. */
enum slot_doom {
    SLOT_DOOM_NONE,
    SLOT_DOOM_SLOW_START,
    SLOT_DOOM_STALLED,
    SLOT_DOOM_SLOW_DRAIN,
    /* How many there are. */
    SLOT_DOOMS,
};

/* What a slot allows its processes; made by rules.h. */
struct slot_rules {
    /* From the fork to READY. */
    uint64_t start_limit_ms;
    /* Between two heartbeats. */
    uint64_t stall_limit_ms;
    /* From SIGABRT to SIGKILL. */
    uint64_t abort_grace_ms;
    /* The first back-off. Each is twice as long as the one before it. */
    uint64_t backoff_ms_min;
    /* The longest back-off after the death of a process that was never READY. */
    uint64_t backoff_ms_max;
    /* The longest back-off after the death of a process that was READY. */
    uint64_t ready_backoff_ms_max;
    /* The least time between two starts, even where there is no back-off. It does not hold back the
     * start after the first death. */
    uint64_t spacing_ms;
    /* Once a process has been READY for so long, the deaths before it are forgotten. */
    uint64_t good_life_ms;
    /* After so many processes in a row that never became READY, the slot is FAILED. */
    uint32_t start_deaths_max;
    /* If this is false, the slot is never FAILED, and a process is started on and on. */
    bool may_fail;
};

struct slot {
    const struct slot_rules *rules;
    enum slot_state state;
    enum slot_doom doom;
    /* 0 where nothing runs. */
    pid_t pid;
    uint64_t incarnation;
    uint64_t spawned_ms;
    uint64_t ready_ms;
    /* In BACKOFF: when it is over. */
    uint64_t start_at_ms;
    /* In STARTING, READY and DRAINING: when the process is to be killed. */
    uint64_t kill_at_ms;
    /* The last heartbeat that was seen, and when it came. */
    uint64_t heartbeat;
    uint64_t heartbeat_ms;
    /* The next back-off. */
    uint64_t backoff_ms;
    /* Deaths of processes that were READY, since the last good life. */
    uint32_t ready_deaths;
    /* Deaths of processes that were not, in a row. */
    uint32_t start_deaths;
};

/* An EMPTY slot. `rules` are borrowed for the slot's life. */
void slot_init(struct slot *slot, const struct slot_rules *rules);

/* EMPTY becomes BACKOFF that is over at once. */
void slot_start(struct slot *slot, uint64_t now_ms);

/* BACKOFF becomes STARTING: `pid` was forked. `heartbeat` is what the scoreboard shows now. */
void slot_spawned(struct slot *slot, pid_t pid, uint64_t incarnation, uint64_t heartbeat,
                  uint64_t now_ms);

/* BACKOFF stays BACKOFF, longer: fork failed. */
void slot_spawn_failed(struct slot *slot, uint64_t now_ms);

/* STARTING becomes READY. False, and nothing changes, if the process has been told to end or is
 * about to be killed. */
bool slot_ready(struct slot *slot, uint64_t now_ms);

/* The process ended with the wait status `status`. `veteran` is true if another slot is READY. The
 * new state says what comes next: BACKOFF (see start_at_ms), FAILED, or EMPTY after DRAINING. */
void slot_exited(struct slot *slot, int status, bool veteran, uint64_t now_ms);

/* No process shall be here any more. True if one runs that must be told to end; slot_tick() asks
 * for its SIGKILL at `kill_at_ms`. May be called again to bring that forward. */
bool slot_drain(struct slot *slot, uint64_t kill_at_ms);

/* What is due. `heartbeat` is what the scoreboard shows. Each action is asked for once. */
enum slot_action slot_tick(struct slot *slot, uint64_t heartbeat, uint64_t now_ms);

/* When slot_tick() may have something to ask for; SLOT_NEVER if only an event can change that. */
uint64_t slot_deadline_ms(const struct slot *slot);

/* True if the process serves and nothing speaks against it. */
bool slot_is_healthy(const struct slot *slot);

/* True if a wait status says "do not respawn me": an exit code of <sysexits.h>, 64 to 78. */
bool slot_status_is_final(int status);

/* Why we ended a process, in words for the log; NULL for SLOT_DOOM_NONE. */
const char *slot_doom_text(enum slot_doom doom);

#endif
