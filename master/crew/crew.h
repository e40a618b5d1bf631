/* crew.h -- all children of the master: the workers, the collector and, with admin.address, the
 * admin process.
 *
 * Joins each slot's state machine (slot.h) with the process in it: forks, hears that it is ready,
 * reaps, sends signals, tells the others of a death. When to serve and when to stop is the
 * supervisor's. Times are those of its clock. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_CREW_CREW_H
#define MYGRPCADAPTER_MASTER_CREW_CREW_H

#include <stdbool.h>
#include <stdint.h>

struct crew;
struct heritage;
struct sd_event;
struct succession;

/* How the collector ended after it had been told to. */
enum crew_end {
    /* It has not. */
    CREW_END_RUNNING,
    /* Exit 0: all is merged. */
    CREW_END_DONE,
    /* It could not merge all, or not in time: what is left waits in the segments. */
    CREW_END_UNFINISHED,
    /* It died: another one may finish its work. */
    CREW_END_DIED,
};

/* How many slots the crew of *common has, which the scoreboard must have too: one for each
 * worker, one for the collector, and one for the admin process if there is a socket for it. */
uint32_t crew_slot_count(const struct heritage *common);

/* The crew, nobody forked yet, with the elders that *before (read only here) tells of. `common`
 * (borrowed) holds what all children inherit. The scoreboard is told which slot has which role.
 * When a child becomes ready, `loop` (borrowed) wakes. Returns 0 or a negative errno; the caller
 * owns *out until crew_close(). */
int crew_open(struct crew **out, const struct heritage *common, const struct succession *before,
              struct sd_event *loop, uint64_t now_ms);

/* Frees; NULL-safe; sets *cp to NULL. Leaves processes alone. */
void crew_close(struct crew **cp);

/* Takes what children said about being ready since. */
void crew_hear(struct crew *crew, uint64_t now_ms);

/* Reaps every process that ended, those of others too (the master may be pid 1), and writes the
 * obituaries. */
void crew_reap(struct crew *crew, uint64_t now_ms);

/* Does all that is due: forks, aborts, kills. */
void crew_tick(struct crew *crew, uint64_t now_ms);

/* When crew_tick() may have something to do; UINT64_MAX if never. */
uint64_t crew_deadline_ms(const struct crew *crew);

/* Every worker slot is READY or FAILED, at least one READY. */
bool crew_serves(const struct crew *crew);

/* Every worker slot is FAILED. */
bool crew_has_failed(const struct crew *crew);

/* Some worker slot is READY. */
bool crew_is_ready(const struct crew *crew);

/* Some worker process is there, elders included. */
bool crew_has_workers(const struct crew *crew);

/* Some process is there, elders included. */
bool crew_has_anyone(const struct crew *crew);

/* Some elder serves that has not been told to drain. */
bool crew_has_serving_elders(const struct crew *crew);

/* Tells those elders to drain: the crew serves. */
void crew_drain_elders(struct crew *crew, uint64_t now_ms);

/* Puts all processes there are into *after, as elders of the next program (an allocated list,
 * which takes the place of the one there), and the next incarnation. `patience_ms` is what a
 * worker of this crew has between the order to drain and SIGKILL. Returns 0 or -ENOMEM. */
int crew_export(const struct crew *crew, struct succession *after, uint64_t patience_ms,
                uint64_t now_ms);

/* Tells every worker, elders too, to drain; who is still there at `kill_at_ms` is killed. Nobody is
 * respawned. */
void crew_drain_workers(struct crew *crew, uint64_t now_ms, uint64_t kill_at_ms);

/* Tells the collector to drain, forking one first if there is none; it is killed at `kill_at_ms`.
 */
void crew_drain_collector(struct crew *crew, uint64_t now_ms, uint64_t kill_at_ms);

/* What came of it. */
enum crew_end crew_collector_end(const struct crew *crew);

/* Tells the collector to let go of its outputs; there may be none. */
void crew_reopen_outputs(const struct crew *crew);

/* Tells everybody, elders too, to end at once; who is still there at `kill_at_ms` is killed.
 * Nobody is respawned. */
void crew_stop(struct crew *crew, uint64_t kill_at_ms);

#endif
