/* comparison.h -- how much of a batch stands in a file already. Runs in the collector, at
 * recovery.
 *
 * A batch that was cut short has left some of its bytes behind the size that the ledger noted. A
 * batch is appended in one or more pieces, in order, and others may append to the same file
 * before, between and behind them. So what stands is a prefix of the batch, perhaps in several
 * pieces, and its last record may be torn. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_COMPARISON_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"

struct comparison {
    /* How many records stand whole, from the first on. */
    size_t records;

    /* How many bytes of the next record end the file: it can be gone on with. 0 = none, or somebody
     * has written behind them, and the record must be written again whole. */
    size_t torn_bytes;

    /* Where the bytes of the batch begin to be missing in the tail, if they are missing in a
     * place of their own: from there on the tail holds the batch's bytes or zeros, as a loss of
     * power leaves them, and they may be written in place. SIZE_MAX = nowhere; then `records`
     * and `torn_bytes` count. */
    size_t hole;

    /* Somebody else has written before, between or behind what stands. */
    bool strangers;
};

/* Compares the `count` records of a batch with `tail`, the bytes that stand behind the noted
 * size, to the end of the file. Where a record stands more than once, the first place counts. */
struct comparison comparison_make(const struct iovec *records, size_t count, struct bytes tail);

#endif
