/* rotation.h -- gives an output file that is large or old enough another name, so that a new one
 * begins.
 *
 * NAME becomes NAME.1, what was NAME.1 becomes NAME.2, and so on up to output.rotate_keep; the last
 * one is replaced. Only names change, and only between two batches, when the ledger is settled:
 * records are whole in one file, each in one.
 *
 * Crash contract: every step is one rename onto a name that nobody needs any more, and the
 * directory is synced behind it. A kill between two steps leaves a gap in the numbers, which the
 * next rotation fills first; nothing but the last file is ever lost. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_ROTATION_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

struct heritage;
struct settings;

/* Whether a file of that size that was last written at `written_s` is to be rotated before more is
 * written to it at `now_s` (seconds since the epoch): it has output.rotate_bytes, or stems from an
 * earlier period of output.rotate_seconds. An empty one never is. */
bool rotation_is_due(const struct settings *settings, uint64_t bytes, int64_t written_s,
                     int64_t now_s);

/* Rotates the output `name` beneath output.root, which must be that very file: through a symbolic
 * link nothing is rotated (-ELOOP). Returns 0, or a negative errno; then the file still has its
 * name. */
int rotation_perform(const struct heritage *heritage, const char *name, uint64_t device,
                     uint64_t inode);

#endif
