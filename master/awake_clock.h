/* awake_clock.h -- a clock that does not count the time in which the master itself did not run.
 *
 * A container that is paused, a virtual machine that is moved, a machine that swaps: all processes
 * stop, the monotonic clock goes on. By that clock every worker has then missed its heartbeat, and
 * the master would kill them all for nothing. By this one, time in which the master overslept its
 * own timer has not passed. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_AWAKE_CLOCK_H
#define MYGRPCADAPTER_MASTER_AWAKE_CLOCK_H

#include <stdint.h>

/* So much later than it asked for the master may wake and still count the time. */
#define AWAKE_CLOCK_TOLERANCE_MS 1000

/* Zeroed = never overslept, waiting for nothing. */
struct awake_clock {
    /* How much was not counted so far. */
    uint64_t asleep_ms;
    /* When we asked to be woken, by CLOCK_MONOTONIC; 0 = not waiting. */
    uint64_t wake_ms;
};

/* The time, given that CLOCK_MONOTONIC shows `monotonic_ms`. Never goes back. */
uint64_t awake_clock_now(struct awake_clock *clock, uint64_t monotonic_ms);

/* Notes that the master is going to sleep until `until_ms` of this clock at the latest. Returns
 * that moment by CLOCK_MONOTONIC. */
uint64_t awake_clock_sleep(struct awake_clock *clock, uint64_t until_ms);

#endif
