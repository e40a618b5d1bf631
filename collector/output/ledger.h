/* ledger.h -- how far one output is: the record that moves together with its bytes.
 *
 * Each output has a ledger file of its own in the segment directory; segment/ledger_format.h has
 * the layout.
 *
 * Crash contract: what ledger_write() returned 0 for is what ledger_open_existing() finds after the
 * process dies, or, if it died inside ledger_write(), either that or what was there before. Runs in
 * the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_LEDGER_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "segment/ledger_format.h"

struct ledger;

/* Opens the ledger of an output. If it is not there, it is created: settled and without positions,
 * whole or not at all. *created_r says whether it was. With `durable` a new one is on the disk,
 * under its name, before this returns. Returns 0 or a negative errno; the caller owns *out. */
int ledger_open(struct ledger **out, int directory_fd, enum segment_kind kind,
                struct bytes output_name, bool durable, bool *created_r);

/* Opens and reads the ledger file `name`. Returns 0, a negative errno, or -EBADMSG if neither block
 * is valid. *state_r points into memory of the ledger, good until its next write or close. The
 * caller owns *out. */
int ledger_open_existing(struct ledger **out, int directory_fd, const char *name,
                         struct ledger_state *state_r);

/* False if somebody removed the file, or replaced it while it was let go of: what is written to it
 * no later collector would find. */
bool ledger_is_there(struct ledger *ledger);

/* Closes the file until it is needed again; then it is opened by its name, and must say what it
 * said. */
void ledger_let_go(struct ledger *ledger);

/* Replaces what the ledger says about mark and positions. Returns 0 or a negative errno; then it
 * says what it said. -ENOENT or -ESTALE: it was let go of, and somebody removed or replaced it. */
int ledger_write(struct ledger *ledger, const struct ledger_mark *mark,
                 const struct ledger_position *positions, size_t position_count);

/* Writes once more what the ledger says, where it stands, for ledger_sync(). What was read may be
 * in the memory of the kernel only; and after a sync that failed, no other one brings it to the
 * disk before it is written again. Returns 0 or a negative errno; -EBADMSG: its file was damaged
 * meanwhile; -ENOENT or -ESTALE as ledger_write(). */
int ledger_rewrite(struct ledger *ledger);

/* Waits until what the ledger says is on the disk (base/disk.h). Its file must be open, as it is
 * behind a write. */
void ledger_sync(const struct ledger *ledger);

/* Closes; NULL-safe; sets *lp to NULL. */
void ledger_close(struct ledger **lp);

/* Removes the file as well: for an output no live segment has records of. */
void ledger_remove(struct ledger **lp);

#endif
