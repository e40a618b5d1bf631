/* segments_ledger.h -- reads a ledger file without a right to write it.
 *
 * collector/output/ledger.h opens ledgers for those who go on writing them; here one is looked at,
 * perhaps while the collector writes it, on a read-only mount, or as another user. Unlike there, a
 * ledger with one block that is not whole counts as damaged too: what is lost with it may be the
 * newer state.
 *
 * Runs in the process of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LEDGER_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "segment/ledger_reader.h"

struct segments_ledger {
    /* `state` says what the record says that counts. */
    bool valid;
    /* Points into `record`. */
    struct ledger_state state;
    struct ledger_record record;
    /* A literal that says what is wrong, and where in the file; NULL = nothing is. */
    const char *damage;
    uint64_t damage_offset;
};

/* Reads the open ledger file `fd`, whose name, without what a quarantine added to it, begins with
 * `name`. Returns 0, also for a damaged one, or a negative errno if it cannot be read. The caller
 * calls segments_ledger_close() in either case. */
int segments_ledger_read(struct segments_ledger *ledger, int fd, const char *name);

/* Frees what the ledger says. It may be closed twice. */
void segments_ledger_close(struct segments_ledger *ledger);

#endif
