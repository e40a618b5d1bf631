/* tally.c -- bounds and names of what is counted. */
#include "common/tally.h"

#include "base/invariant.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)

/* A call takes some tens of microseconds; one that waits for a disk takes some milliseconds, and so
 * does a record until it is in its output. */
const uint64_t tally_bounds_ns[TALLY_BUCKETS] = {
    50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,   5 * MS / 2, 5 * MS,
    10 * MS, 25 * MS,  50 * MS,  100 * MS, 250 * MS, 1 * S,      10 * S,
};

const char *
tally_status_name(uint32_t status)
{
    static const char *const names[] = {
        [0] = "OK",
        [1] = "CANCELLED",
        [2] = "UNKNOWN",
        [3] = "INVALID_ARGUMENT",
        [4] = "DEADLINE_EXCEEDED",
        [5] = "NOT_FOUND",
        [6] = "ALREADY_EXISTS",
        [7] = "PERMISSION_DENIED",
        [8] = "RESOURCE_EXHAUSTED",
        [9] = "FAILED_PRECONDITION",
        [10] = "ABORTED",
        [11] = "OUT_OF_RANGE",
        [12] = "UNIMPLEMENTED",
        [13] = "INTERNAL",
        [14] = "UNAVAILABLE",
        [15] = "DATA_LOSS",
        [16] = "UNAUTHENTICATED",
    };
    _Static_assert(sizeof(names) / sizeof(names[0]) == TALLY_STATUSES, "each has a name");
    return names[status < TALLY_STATUSES ? status : 2];
}

const char *
tally_death_name(enum tally_death death)
{
    static const char *const names[] = {
#define NAME(name, label) [TALLY_DEATH_##name] = (label),
        TALLY_DEATH_CAUSES(NAME)
#undef NAME
    };
    INVARIANT(death < TALLY_DEATHS);
    return names[death];
}
