/* slot_state.c -- what each state of a process is called. Runs in every process. */
#include "common/slot_state.h"

static const char *const names[] = {
    [SLOT_EMPTY] = "none",        [SLOT_STARTING] = "starting", [SLOT_READY] = "ready",
    [SLOT_DRAINING] = "draining", [SLOT_BACKOFF] = "back-off",  [SLOT_FAILED] = "given up",
};

_Static_assert(sizeof(names) / sizeof(names[0]) == SLOT_STATES, "each state has a name");

const char *
slot_state_name(uint32_t state)
{
    return state < SLOT_STATES ? names[state] : "unknown";
}
