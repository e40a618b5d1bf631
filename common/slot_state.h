/* slot_state.h -- the states of a supervised process (master/crew/slot.h), which stand in the
 * scoreboard for everybody to read. Used by every process. */
#ifndef MYGRPCADAPTER_COMMON_SLOT_STATE_H
#define MYGRPCADAPTER_COMMON_SLOT_STATE_H

#include <stdint.h>

enum slot_state {
    /* Nothing runs, and nothing shall. */
    SLOT_EMPTY,
    /* Forked, has not said that it serves. */
    SLOT_STARTING,
    SLOT_READY,
    /* Told to end. */
    SLOT_DRAINING,
    /* Nothing runs; a process is to be started at a time that is set, which may be now. */
    SLOT_BACKOFF,
    /* Given up. */
    SLOT_FAILED,
    /* How many there are. */
    SLOT_STATES,
};

/* The name of a state; "unknown" for a number that is none, as another process's memory may hold.
 */
const char *slot_state_name(uint32_t state);

#endif
