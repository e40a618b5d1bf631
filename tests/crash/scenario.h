/* scenario.h -- two workers' journals and a collector in one process, doing what they do in random
 * turns. Runs in the children of the suite. */
#ifndef MYGRPCADAPTER_TESTS_CRASH_SCENARIO_H
#define MYGRPCADAPTER_TESTS_CRASH_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct disk;

/* What happens beside appending and merging. */
struct scenario_troubles {
    /* Outputs take no more at times. */
    bool full;

    /* Records are set aside and put back. */
    bool aside;

    /* One of the files has two names, and records for either. */
    bool names;

    /* A listing misses a segment at times. */
    bool misses;

    /* Segments and ledgers cannot be opened, renamed or removed at times. */
    bool bars;

    /* The durability changes from child to child, and at times one of the workers is an elder that
     * has the other one. */
    bool mixed;

    /* Files are rotated by time, and a file server gives them theirs. */
    bool clocks;
};

struct scenario {
    const char *volume;      /* output.root; the segment directory is in it */
    struct account *account; /* borrowed */
    struct disk *disk;       /* borrowed; NULL = the machine does not fail */
    bool durable;            /* segments.durability is "machine" */
    struct scenario_troubles troubles;
    uint64_t number; /* of the children before it on this volume */
    uint32_t steps;
    uint64_t seed;
};

/* Starts on what is in the volume, takes so many steps, seals and merges what is left. Returns true
 * if nothing was left unmerged. */
bool scenario_run(const struct scenario *scenario);

#endif
