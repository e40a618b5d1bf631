/* awake_clock.c -- subtracts oversleeping from the monotonic clock. Runs in the master. */
#include "master/awake_clock.h"

uint64_t
awake_clock_now(struct awake_clock *clock, uint64_t monotonic_ms)
{
    if (clock->wake_ms != 0 && monotonic_ms > clock->wake_ms + AWAKE_CLOCK_TOLERANCE_MS)
        clock->asleep_ms += monotonic_ms - clock->wake_ms;
    if (monotonic_ms > clock->wake_ms)
        clock->wake_ms = 0; /* awake: counted from here on */
    return monotonic_ms - clock->asleep_ms;
}

uint64_t
awake_clock_sleep(struct awake_clock *clock, uint64_t until_ms)
{
    clock->wake_ms = until_ms + clock->asleep_ms;
    return clock->wake_ms;
}
