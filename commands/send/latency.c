/* latency.c -- the buckets of the histogram, and how percentiles are read from them.
 *
 * Runs in the process of `mygrpcadapter send`, in memory only. Values below 128 have a bucket each.
 * A larger value's bucket is told by its highest bit (the power of two) and the seven bits after
 * it, so a bucket is at most 1/128 of its values wide and its middle is within 1/256 of each of
 * them.
 */
#include "commands/send/latency.h"

#include "base/invariant.h"

static size_t
bucket_of(uint64_t value)
{
    if (value < LATENCY_SUB_BUCKETS)
        return (size_t)value;
    unsigned highest_bit = 63U - (unsigned)__builtin_clzll(value);
    unsigned shift = highest_bit - LATENCY_SUB_BUCKET_BITS;
    size_t sub_bucket = (size_t)(value >> shift) - LATENCY_SUB_BUCKETS;
    return (shift + 1) * LATENCY_SUB_BUCKETS + sub_bucket;
}

static uint64_t
bucket_middle(size_t bucket)
{
    if (bucket < LATENCY_SUB_BUCKETS)
        return bucket;
    size_t shift = bucket / LATENCY_SUB_BUCKETS - 1;
    uint64_t sub_bucket = bucket % LATENCY_SUB_BUCKETS + LATENCY_SUB_BUCKETS;
    uint64_t width = UINT64_C(1) << shift;
    return (sub_bucket << shift) + width / 2;
}

void
latency_add(struct latency *latency, uint64_t value_ns)
{
    size_t bucket = bucket_of(value_ns);
    INVARIANT(bucket < LATENCY_BUCKETS);
    if (latency->count == 0 || value_ns < latency->min_ns)
        latency->min_ns = value_ns;
    if (value_ns > latency->max_ns)
        latency->max_ns = value_ns;
    latency->buckets[bucket]++;
    latency->count++;
}

/* ceil(count * per_ten_thousand / 10000), at least 1, without overflow for any count. */
static uint64_t
nearest_rank(uint64_t count, uint32_t per_ten_thousand)
{
    uint64_t rank = count / 10000 * per_ten_thousand;
    rank += (count % 10000 * per_ten_thousand + 9999) / 10000;
    return rank == 0 ? 1 : rank;
}

uint64_t
latency_percentile(const struct latency *latency, uint32_t per_ten_thousand)
{
    INVARIANT(per_ten_thousand <= 10000);
    if (latency->count == 0)
        return 0;

    uint64_t rank = nearest_rank(latency->count, per_ten_thousand);
    uint64_t seen = 0;
    size_t bucket = 0;
    for (; bucket < LATENCY_BUCKETS; bucket++) {
        seen += latency->buckets[bucket];
        if (seen >= rank)
            break;
    }
    INVARIANT(bucket < LATENCY_BUCKETS);

    uint64_t value = bucket_middle(bucket);
    if (value < latency->min_ns)
        return latency->min_ns;
    return value > latency->max_ns ? latency->max_ns : value;
}
