/* rotation.h -- gives an output file that is large or old enough another name, so that a new one
 * begins.
 *
 * NAME becomes NAME.1, what was NAME.1 becomes NAME.2, and so on up to output.rotate_keep; the last
 * one is replaced. Only names change, and only between two batches, when the ledger is settled:
 * records are whole in one file, each in one. Nothing is renamed but regular files that no output
 * has (output_note.h); a number at which something else stands is passed over.
 *
 * Crash contract: every step is one rename onto a name that nobody needs any more. A kill between
 * two steps leaves a gap in the numbers, which the next rotation fills first; nothing but the last
 * file is ever lost. With durability "machine" the directory is synced once, behind the last step.
 * A file system whose renames are atomic over a loss of power at all has a journal, and keeps their
 * order: what is on the disk after it is what a kill at some step leaves. Where they are not, a
 * sync behind each step would save none of them. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_ROTATION_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

struct heritage;
struct settings;

/* Whether a file of that size that this output last wrote at `written_s` is to be rotated before
 * more is written to it at `now_s` (seconds since the epoch, by the clock of this machine): it has
 * output.rotate_bytes, or stems from an earlier period of output.rotate_seconds. An empty one never
 * is. */
bool rotation_is_due(const struct settings *settings, uint64_t bytes, int64_t written_s,
                     int64_t now_s);

/* Whether something written at `now_s` is the first of a period, after something written at
 * `written_s` (0 = not known). A clock that is set back into the period before was corrected: that
 * period does not begin again. */
bool rotation_period_begins(const struct settings *settings, int64_t written_s, int64_t now_s);

/* What a rotation came upon. */
struct rotation_report {
    /* Numbers at which something stands that is no regular file: they were passed over. */
    int64_t passed_over;
    /* The number whose name is that of another output; 0 = none. */
    int64_t taken;
};

/* Rotates the output `name` beneath output.root, which must be that very file: through a symbolic
 * link nothing is rotated (-ELOOP). Returns 0, or a negative errno, and the file still has its
 * name: -EEXIST if another output has one of the names, -EISDIR if none of them can be used. */
int rotation_perform(const struct heritage *heritage, const char *name, uint64_t device,
                     uint64_t inode, struct rotation_report *report_r);

#endif
