/* tally.c -- bounds and names of what is counted. */
#include "common/tally.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)

/* A call takes some tens of microseconds; one that waits for a disk, or a record for its output, some
 * milliseconds. */
const uint64_t tally_bounds_ns[TALLY_BUCKETS] = {
    50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,   5 * MS / 2, 5 * MS,
    10 * MS, 25 * MS,  50 * MS,  100 * MS, 250 * MS, 1 * S,      10 * S,
};

const char *
tally_status_name(uint32_t status)
{
    static const char *const names[TALLY_STATUSES] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    return names[status < TALLY_STATUSES ? status : 2];
}

const char *
tally_death_name(enum tally_death death)
{
    static const char *const names[TALLY_DEATHS] = {"signal", "exit", "slow_start", "stalled"};
    return names[death];
}
