/* latency.h -- how long calls took: a histogram of fixed size, however many there were.
 *
 * Buckets grow with the value: 128 for each power of two, so that what comes out is within 0.4 % of
 * what went in, and anything from a nanosecond to centuries fits in 60 KiB. Smallest and largest
 * value are kept exactly. Runs in the process of `mygrpcadapter send`; nothing of it is ever
 * written to disk.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_LATENCY_H
#define MYGRPCADAPTER_COMMANDS_SEND_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_SUB_BUCKET_BITS 7
#define LATENCY_SUB_BUCKETS ((size_t)1 << LATENCY_SUB_BUCKET_BITS)
#define LATENCY_BUCKETS ((64 - LATENCY_SUB_BUCKET_BITS + 1) * LATENCY_SUB_BUCKETS)

/* Zero it before use. */
struct latency {
    uint64_t count;
    uint64_t min_ns;
    uint64_t max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

/* Adds one value; any value is allowed. */
void latency_add(struct latency *latency, uint64_t value_ns);

/* The value that `per_ten_thousand` / 10000 of all values do not exceed (nearest rank: 5000 is the
 * median, 9990 is p99.9), at most 10000. 0 if there are no values. */
uint64_t latency_percentile(const struct latency *latency, uint32_t per_ten_thousand);

#endif
