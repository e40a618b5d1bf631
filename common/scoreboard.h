/* scoreboard.h -- the memory that all processes of one adapter share.
 *
 * The master maps it before it forks. Each slot is written by the process in it (and cleared by
 * the master when that process is gone), cache lines apart from the others; everybody may read,
 * and so may `mygrpcadapter status`, from outside. Nothing in it is needed for the promises about
 * data: it may be lost or wrong and costs speed or fairness, never a record. All fields are
 * atomics used with the ordering their comment gives, relaxed where it gives none.
 */
#ifndef MYGRPCADAPTER_COMMON_SCOREBOARD_H
#define MYGRPCADAPTER_COMMON_SCOREBOARD_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/role.h"
#include "common/tally.h"

#define SCOREBOARD_LINE_BYTES 64
#define SCOREBOARD_WORKERS_MAX 256

/* The name of its memory, as /proc/PID/fd shows it. */
#define SCOREBOARD_NAME "mygrpcadapter-scoreboard"

struct scoreboard_slot {
    /* What the others look at often, in a line of its own. */

    /* Raised by the main loop of the process each time round, at least four times a second: the
     * master and the process's own acceptor see by it that the loop still turns. */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint64_t heartbeat;
    /* How many the worker serves now. */
    _Atomic uint32_t connections;
    /* The worker takes connections until then (CLOCK_MONOTONIC); 0 = not now. */
    _Atomic uint64_t willing_until_ms;
    /* 1 while the worker refuses every call: it has no segment to append to, or the volume is not
     * in its place. */
    _Atomic uint32_t refuses;

    struct process_tally process;
    /* Zero in other processes' slots. */
    struct worker_tally worker;
};

/* What does not change while the adapter runs; written by the master, before it forks. */
struct scoreboard_facts {
    char version[32];
    /* Since the epoch. */
    uint64_t started_ns;
    uint32_t worker_count;
    uint64_t max_connections;
    uint64_t segments_limit_bytes;
    /* As the configuration has it; cut where it is longer. `status` finds the adapter by it when
     * the path leads elsewhere. */
    char segments_directory[1024];
};

struct scoreboard {
    char magic[8];
    /* Differs where the fields do. */
    uint64_t layout;
    uint32_t slot_count;
    /* Of the memory, in the master: what `status` opens. */
    int fd;
    struct scoreboard_facts facts;

    /* Bumped after a segment file came, was renamed, or lost its writer: the collector then reads
     * the directory. */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint64_t segments_changed;

    /* 1 while the collector sleeps and wants its eventfd written after the next append
     * (sequentially consistent). */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint32_t collector_sleeps;

    /* 1 once it has happened since the adapter started: whoever raises it writes the line in the
     * log. */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint32_t first_call;
    _Atomic uint32_t first_to_standard_output;

    struct collector_tally collector;

    struct scoreboard_slot slots[];
};

/* Maps a zeroed scoreboard for `slot_count` processes, shared with every child forked later.
 * Returns 0 or a negative errno. The caller owns it; it lives until scoreboard_close(). */
int scoreboard_open(struct scoreboard **out, uint32_t slot_count);

/* Maps the scoreboard of another process, to read, from a descriptor of its memory, which the
 * caller keeps. Returns 0, a negative errno, or -EPROTO if it is that of another version of the
 * program (or none). The caller owns it: scoreboard_detach(). */
int scoreboard_attach(const struct scoreboard **out, int fd);

/* Raises `first`, one of those above; true for the one call, in whatever process, that did so
 * first. */
bool scoreboard_is_first(_Atomic uint32_t *first);

/* Unmaps a scoreboard of one's own; NULL-safe; sets *sp to NULL. */
void scoreboard_close(struct scoreboard **sp);

/* Unmaps another process's; NULL-safe; sets *sp to NULL. */
void scoreboard_detach(const struct scoreboard **sp);

/* Forgets what a process that is gone left in its slot; what it counted stays. For the master. */
void scoreboard_clear_slot(struct scoreboard *scoreboard, uint32_t slot);

/* True if a worker is healthy, and no healthy one refuses calls. */
bool scoreboard_serves(const struct scoreboard *scoreboard, uint32_t worker_count);

/* The worker slot whose turn it is to take a connection: among slots 0 to `worker_count`-1 that are
 * willing at `now_ms`, the one with the fewest connections, the lowest of those; UINT32_MAX if none
 * is willing. */
uint32_t scoreboard_turn(const struct scoreboard *scoreboard, uint32_t worker_count,
                         uint64_t now_ms);

/* Says what the process in a slot is; for the master, before it forks one. Slots that nobody
 * spoke of are workers'. */
void scoreboard_set_role(struct scoreboard *scoreboard, uint32_t slot, enum role role);

/* What the process in a slot is. */
enum role scoreboard_role(const struct scoreboard *scoreboard, uint32_t slot);

/* Calls that a worker has taken and whose answer is not out. */
uint64_t scoreboard_in_flight(const struct scoreboard *scoreboard, uint32_t slot);

#endif
