/* tally.h -- counters that one thread writes and everybody reads.
 *
 * They stand in the scoreboard. A counter has one writer, so to raise it is a load, an addition and
 * a store, all relaxed: no locked instruction, no shared cache line but when somebody looks. They
 * are kept when a process dies and its successor counts on, so that none ever goes back. What is
 * counted is in common/counters.h. Used by every process.
 */
#ifndef MYGRPCADAPTER_COMMON_TALLY_H
#define MYGRPCADAPTER_COMMON_TALLY_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/counters.h"

#define TALLY_LINE_BYTES 64

/* gRPC's status codes, 0 (OK) to 16. */
#define TALLY_STATUSES 17U

/* Buckets of a histogram, without the one that has no bound. */
#define TALLY_BUCKETS 14U

/* Why a process ended that was not told to: DEATH(name, label). */
#define TALLY_DEATH_CAUSES(DEATH)                                                                  \
    /* Killed by somebody, or crashed. */                                                          \
    DEATH(SIGNAL, "signal")                                                                        \
    /* By itself. */                                                                               \
    DEATH(EXIT, "exit")                                                                            \
    /* Killed by the master, as those below. */                                                    \
    DEATH(SLOW_START, "slow_start")                                                                \
    DEATH(STALLED, "stalled")

/* clang-format off */
enum tally_death {
#define TALLY_ENUMERATOR(name, label) TALLY_DEATH_##name,
    TALLY_DEATH_CAUSES(TALLY_ENUMERATOR)
#undef TALLY_ENUMERATOR
    TALLY_DEATHS,
};
/* clang-format on */

/* Bucket i counts what is at most tally_bounds_ns[i] and more than the one before; the last, all
 * else. */
struct tally_histogram {
    _Atomic uint64_t buckets[TALLY_BUCKETS + 1];
    _Atomic uint64_t sum_ns;
};

/* The fields that a list of counters.h stands for. */
#define TALLY_NUMBER(field, type, metric, help) _Atomic uint64_t field;
#define TALLY_FAMILY(field, count, type, metric, labels, help) _Atomic uint64_t field[count];
#define TALLY_HISTOGRAM(field, metric, help) struct tally_histogram field;
#define TALLY_HIDDEN(field) _Atomic uint64_t field;
#define TALLY_FIELDS(counters) counters(TALLY_NUMBER, TALLY_FAMILY, TALLY_HISTOGRAM, TALLY_HIDDEN)

/* The counters of each writer begin a cache line. */
/* clang-format off */
struct worker_tally {
    alignas(TALLY_LINE_BYTES) TALLY_FIELDS(COUNTERS_OF_WORKER_LOOP)
    alignas(TALLY_LINE_BYTES) TALLY_FIELDS(COUNTERS_OF_ACCEPTOR)
};

struct collector_tally {
    alignas(TALLY_LINE_BYTES) TALLY_FIELDS(COUNTERS_OF_COLLECTOR)
};
/* clang-format on */

/* By the master, for the process in a slot. */
struct process_tally {
    /* enum slot_state (common/slot_state.h). */
    alignas(TALLY_LINE_BYTES) _Atomic uint32_t state;

    /* It serves and nothing speaks against it. */
    _Atomic uint32_t healthy;

    /* 0 = there is none. */
    _Atomic int32_t pid;

    _Atomic uint64_t incarnation;

    /* enum role: scoreboard_role(). */
    _Atomic uint32_t role;

    TALLY_FIELDS(COUNTERS_OF_MASTER)
};

extern const uint64_t tally_bounds_ns[TALLY_BUCKETS];

/* For the counter's one writer. */
static inline void
tally_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
                          memory_order_relaxed);
}

static inline void
tally_set(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static inline uint64_t
tally_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* For the histogram's one writer: counts a value. Looks at the bucket *near first, and puts the
 * one that the value is in there: a good guess for the next of a series. */
static inline void
tally_observe_near(struct tally_histogram *histogram, uint64_t ns, uint32_t *near)
{
    uint32_t bucket = *near;
    while (bucket > 0 && ns <= tally_bounds_ns[bucket - 1])
        bucket--;
    while (bucket < TALLY_BUCKETS && ns > tally_bounds_ns[bucket])
        bucket++;
    *near = bucket;
    tally_add(&histogram->buckets[bucket], 1);
    tally_add(&histogram->sum_ns, ns);
}

static inline void
tally_observe(struct tally_histogram *histogram, uint64_t ns)
{
    uint32_t bucket = 0;
    tally_observe_near(histogram, ns, &bucket);
}

/* The name of a gRPC status code. */
const char *tally_status_name(uint32_t status);

/* The word for a death's cause, as a metric's label has it. */
const char *tally_death_name(enum tally_death death);

#endif
