/* segments_ledger.h -- reads a ledger file without a right to write it.
 *
 * collector/output/ledger.h has the layout and opens ledgers for those who go on writing them; here one is
 * looked at, perhaps while the collector writes it, on a read-only mount, or as another user.
 * Unlike there, a ledger with one block that is not whole counts as damaged too: what is lost with
 * it may be the newer state.
 *
 * Runs in the process of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LEDGER_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/output/ledger.h"

struct segments_ledger {
    bool valid;                /* `state` says what the newer whole block says */
    struct ledger_state state; /* points into `memory`; positions sorted by segments_id_compare() */
    unsigned char *memory;     /* owned */
    const char *damage;        /* NULL: none */
    uint64_t damage_offset;
};

/* Orders the ids of segments: negative, 0 or positive. */
int segments_id_compare(const struct segment_id *a, const struct segment_id *b);

/* Reads the open ledger file `fd`, whose name, without what a quarantine added to it, begins with
 * `name`. Returns 0, also for a damaged one, or a negative errno if it cannot be read. The caller
 * calls segments_ledger_close() in either case. */
int segments_ledger_read(struct segments_ledger *ledger, int fd, const char *name);

/* Frees what the ledger says. It may be closed twice. */
void segments_ledger_close(struct segments_ledger *ledger);

#endif
