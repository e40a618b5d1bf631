/* scoreboard.h -- the memory that all processes of one adapter share.
 *
 * The master maps it before it forks. Each slot is written by the process in it (and cleared by the
 * master when that process is gone), one cache line apart from the others; everybody may read.
 * Nothing in it is needed for the promises about data: it may be lost or wrong and costs speed or
 * fairness, never a record. All fields are atomics used with the ordering their comment gives,
 * relaxed where it gives none.
 */
#ifndef MYGRPCADAPTER_COMMON_SCOREBOARD_H
#define MYGRPCADAPTER_COMMON_SCOREBOARD_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCOREBOARD_LINE_BYTES 64
#define SCOREBOARD_WORKERS_MAX 256

struct scoreboard_slot {
    /* Raised by the main loop of the process each time round, at least four times a second: the
     * master and the process's own acceptor see by it that the loop still turns. */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint64_t heartbeat;
    _Atomic uint32_t connections;      /* that the worker serves now */
    _Atomic uint64_t willing_until_ms; /* the worker takes connections until then (CLOCK_MONOTONIC);
                                          0 = not now */
    _Atomic uint64_t calls;            /* answered, whatever the status */
    _Atomic uint32_t refuses;          /* 1 while the worker has no segment to append to: every call
                                          is refused */
    _Atomic uint32_t healthy;          /* by the master: the process serves and nothing speaks
                                          against it */
};

struct scoreboard {
    uint32_t slot_count;

    /* Bumped after a segment file came, was renamed, or lost its writer: the collector then reads
     * the directory. */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint64_t segments_changed;

    /* 1 while the collector sleeps and wants its eventfd written after the next append
     * (sequentially consistent). */
    alignas(SCOREBOARD_LINE_BYTES) _Atomic uint32_t collector_sleeps;

    struct scoreboard_slot slots[];
};

/* Maps a zeroed scoreboard for `slot_count` processes, shared with every child forked later. Returns 0
 * or a negative errno. The caller owns it; it lives until scoreboard_close(). */
int scoreboard_open(struct scoreboard **out, uint32_t slot_count);

/* Unmaps; NULL-safe; sets *sp to NULL. */
void scoreboard_close(struct scoreboard **sp);

/* Forgets what a process that is gone left in its slot. For the master. */
void scoreboard_clear_slot(struct scoreboard *scoreboard, uint32_t slot);

/* True if a worker is healthy, and no healthy one refuses calls. */
bool scoreboard_serves(const struct scoreboard *scoreboard, uint32_t worker_count);

/* The worker slot whose turn it is to take a connection: among slots 0 to `worker_count`-1 that are
 * willing at `now_ms`, the one with the fewest connections, the lowest of those; UINT32_MAX if none
 * is willing. */
uint32_t scoreboard_turn(const struct scoreboard *scoreboard, uint32_t worker_count,
                         uint64_t now_ms);

#endif
