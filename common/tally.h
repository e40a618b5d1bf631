/* tally.h -- counters that one process writes and everybody reads.
 *
 * They stand in the scoreboard. A counter has one writer, so to raise it is a load, an addition and a
 * store, all relaxed: no locked instruction, no shared cache line but when somebody looks. They are kept
 * when a process dies and its successor counts on, so that none ever goes back. Used by every process.
 */
#ifndef MYGRPCADAPTER_COMMON_TALLY_H
#define MYGRPCADAPTER_COMMON_TALLY_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/refusal_causes.h"

#define TALLY_LINE_BYTES 64
#define TALLY_STATUSES 17U /* gRPC's status codes, 0 (OK) to 16 */
#define TALLY_BUCKETS 14U  /* of a histogram, without the one that has no bound */

/* Why a process ended that was not told to. */
enum tally_death {
    TALLY_DEATH_SIGNAL,     /* killed by somebody, or crashed */
    TALLY_DEATH_EXIT,       /* by itself */
    TALLY_DEATH_SLOW_START, /* by the master, as the rest */
    TALLY_DEATH_STALLED,
    TALLY_DEATHS,
};

/* Bucket i counts what is at most tally_bounds_ns[i] and more than the one before; the last, all else. */
struct tally_histogram {
    _Atomic uint64_t buckets[TALLY_BUCKETS + 1];
    _Atomic uint64_t sum_ns;
};

struct worker_tally {
    /* By its main thread: HandleMetric calls. What is begun and not ended is in flight. */
    alignas(TALLY_LINE_BYTES) _Atomic uint64_t begun;
    _Atomic uint64_t ended;
    _Atomic uint64_t request_bytes; /* of calls that were accepted, as the two below */
    _Atomic uint64_t instances;
    _Atomic uint64_t text_bytes;
    _Atomic uint64_t unknown; /* calls of other methods than there are */
    _Atomic uint64_t statuses[TALLY_STATUSES];
    _Atomic uint64_t refusals[REFUSAL_CAUSE_COUNT];
    struct tally_histogram durations; /* from the loop's taking the call until its answer is out */

    /* By its acceptor. */
    alignas(TALLY_LINE_BYTES) _Atomic uint64_t accepted; /* connections */
};

struct collector_tally {
    alignas(TALLY_LINE_BYTES) _Atomic uint64_t records; /* delivered to their outputs */
    _Atomic uint64_t bytes;                             /* of their text */
    _Atomic uint64_t quarantined; /* segments, ledgers and outputs whose records are set aside */
    struct tally_histogram lags;  /* from a record's append to its delivery */

    /* As they are now. */
    _Atomic uint64_t segments;
    _Atomic uint64_t segment_bytes;  /* of their files */
    _Atomic uint64_t unmerged_bytes; /* of the files, at most, that hold what is not delivered */
    _Atomic uint64_t outputs;
    _Atomic uint64_t outputs_refusing;
    _Atomic uint64_t oldest_ns; /* when the oldest record known not to be delivered was appended, ns
                                   since the epoch; 0 = there is none */
};

/* By the master, for the process in a slot. */
struct process_tally {
    alignas(TALLY_LINE_BYTES) _Atomic uint32_t state; /* enum slot_state (common/slot_state.h) */
    _Atomic uint32_t healthy;                         /* it serves and nothing speaks against it */
    _Atomic int32_t pid;                              /* 0 = there is none */
    _Atomic uint32_t role;                            /* enum role: scoreboard_role() */
    _Atomic uint64_t incarnation;
    _Atomic uint64_t deaths[TALLY_DEATHS];
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

/* For the histogram's one writer: counts a value. *near is the bucket to look at first, then the one it
 * went to, which is a good guess for the next of a series. */
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
