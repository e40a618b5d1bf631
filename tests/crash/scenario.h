/* scenario.h -- two workers' journals and a collector in one process, doing what they do in random
 * turns. Runs in the children of the suite. */
#ifndef MYGRPCADAPTER_TESTS_CRASH_SCENARIO_H
#define MYGRPCADAPTER_TESTS_CRASH_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct disk;

struct scenario {
    const char *volume;      /* output.root; the segment directory is in it */
    struct account *account; /* borrowed */
    struct disk *disk;       /* borrowed; NULL = the machine does not fail */
    bool durable;            /* segments.durability is "machine" */
    bool aside;              /* outputs are full at times, and records set aside and put back */
    uint32_t steps;
    uint64_t seed;
};

/* Starts on what is in the volume, takes so many steps, seals and merges what is left. Returns true
 * if nothing was left unmerged. */
bool scenario_run(const struct scenario *scenario);

#endif
