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

#define SLOT_NEVER UINT64_MAX

#define SLOT_BACKOFF_MS_MIN 100
#define SLOT_BACKOFF_MS_MAX 30000

/* READY for so long, and the deaths before are forgotten. */
#define SLOT_GOOD_LIFE_MS 60000

/* Two starts of one slot are so far apart, but for the one after the first death: a worker that dies
 * whenever it becomes ready must not make the master do nothing but fork. */
#define SLOT_SPACING_MS 20

/* So many processes in a row that never became ready: FAILED. */
#define SLOT_START_DEATHS_MAX 6

/* From SIGABRT to SIGKILL: time to write a core. */
#define SLOT_ABORT_GRACE_MS 2000

enum slot_state {
    SLOT_EMPTY,    /* nothing runs, nothing shall */
    SLOT_STARTING, /* forked, has not said that it serves */
    SLOT_READY,
    SLOT_DRAINING, /* told to end */
    SLOT_BACKOFF,  /* to be started at `start_at_ms`, which may be now */
    SLOT_FAILED,   /* given up */
};

/* What the owner has to do now. */
enum slot_action {
    SLOT_ACTION_NONE,
    SLOT_ACTION_SPAWN, /* fork, then slot_spawned() or slot_spawn_failed() */
    SLOT_ACTION_ABORT, /* send SIGABRT */
    SLOT_ACTION_KILL,  /* send SIGKILL */
};

/* Why we ended a process ourselves. */
enum slot_doom {
    SLOT_DOOM_NONE,
    SLOT_DOOM_SLOW_START,
    SLOT_DOOM_STALLED,
    SLOT_DOOM_SLOW_DRAIN,
};

struct slot_rules {
    uint64_t start_limit_ms;       /* from fork to READY */
    uint64_t stall_limit_ms;       /* between two heartbeats */
    uint64_t ready_backoff_ms_max; /* after the death of a process that was READY */
    bool may_fail;                 /* false: FAILED is never reached, it is tried on and on */
};

struct slot {
    const struct slot_rules *rules;
    enum slot_state state;
    enum slot_doom doom;
    pid_t pid; /* 0 = nothing runs */
    uint64_t incarnation;
    uint64_t spawned_ms;
    uint64_t ready_ms;
    uint64_t start_at_ms; /* BACKOFF */
    uint64_t kill_at_ms;  /* STARTING, READY, DRAINING */
    uint64_t heartbeat;   /* the last one seen, and when it came */
    uint64_t heartbeat_ms;
    uint64_t backoff_ms;   /* the next back-off */
    uint32_t ready_deaths; /* of processes that were READY, since the last good life */
    uint32_t start_deaths; /* of processes that were not, in a row */
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

/* STARTING becomes READY. False if that says nothing any more: the process is told to end, or about
 * to be killed. */
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

/* The name of a doom, "no" for none, for the log. */
const char *slot_doom_name(enum slot_doom doom);

#endif
