/* random.h -- numbers that follow from a seed (SplitMix64: Steele, Lea and Flood, "Fast splittable
 * pseudorandom number generators", 2014), so that a run can be had again. */
#ifndef MYGRPCADAPTER_TESTS_CRASH_RANDOM_H
#define MYGRPCADAPTER_TESTS_CRASH_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline void
random_seed(struct random *random, uint64_t seed)
{
    random->state = seed;
}

static inline uint64_t
random_next(struct random *random)
{
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

/* A number from 0 to `bound` - 1. */
static inline uint64_t
random_below(struct random *random, uint64_t bound)
{
    return random_next(random) % bound;
}

#endif
