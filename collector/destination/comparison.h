/* comparison.h -- how much of a batch stands in a file already. Runs in the collector, at recovery.
 *
 * A batch that was cut short has left some of its bytes behind the size that the ledger noted. It
 * is appended in one or more pieces, in order, and others may append to the same file before,
 * between and behind them; after a loss of power any of its pages may be zeros.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_COMPARISON_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"

/* The place of a record that does not stand. */
#define COMPARISON_MISSING SIZE_MAX

struct comparison {
    /* How many records do not stand whole, and the first of them. */
    size_t missing;
    size_t first_missing;

    /* How many bytes of the first missing record end the tail, directly behind the record before
     * it or at the tail's beginning: it can be gone on with. 0 = none, or somebody has written
     * before or behind them, and the record must be written again whole. */
    size_t torn_bytes;

    /* From the beginning of the tail on there is nothing but the batch, with zeros where some of
     * its bytes are missing: they may be written in place. Then all else in here means nothing. */
    bool has_holes;

    /* Somebody else has written before, between or behind what stands. */
    bool strangers;
};

/* Compares the `count` records of a batch with `tail`, the bytes that stand behind the noted
 * size, to the end of the file. `places` has room for `count` and gets where in the tail each
 * record stands, or COMPARISON_MISSING. No two places overlap, so of equal texts as many stand
 * as there are. */
struct comparison comparison_make(const struct iovec *records, size_t count, struct bytes tail,
                                  size_t *places);

#endif
