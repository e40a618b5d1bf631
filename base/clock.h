/* clock.h -- the two clocks of the project: monotonic time for deadlines and durations, real
 * time for what people read and for ages across restarts. Used by every process. */
#ifndef MYGRPCADAPTER_BASE_CLOCK_H
#define MYGRPCADAPTER_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline uint64_t
clock_monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Milliseconds of CLOCK_MONOTONIC: the same in every process of the machine, never set back. */
static inline uint64_t
clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

/* Nanoseconds since the epoch, CLOCK_REALTIME. */
static inline uint64_t
clock_realtime_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
