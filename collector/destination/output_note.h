/* output_note.h -- what is to be remembered of an output file when its ledger has been forgotten.
 *
 * A note is a small file in the segment directory, named after the output. There is one of
 *   - each output that was written in this period of output.rotate_seconds. It says when the first
 *     record of the period was written, by the clock of this machine. The time of the file itself
 *     may be that of a file server whose clock is behind: by it each batch would rotate;
 *   - each output whose name is one that rotation gives (common/rotated_name.h). It was accepted
 *     while nothing was rotated, and rotation, turned on later, must not take its file for a
 *     rotated one.
 *
 * The bytes of a note; all numbers are little-endian:
 *      0  8  magic "mygrpcno"
 *      8  8  written_s: seconds since the epoch; 0 = not known
 *     16  8  bytes of the name
 *     24     name of the output
 *            checksum (8): XXH3-64 of all before it
 *
 * Crash contract: a note that is not whole counts as none. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_OUTPUT_NOTE_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_OUTPUT_NOTE_H

#include <stdbool.h>
#include <stdint.h>

struct heritage;

/* Reads the note of the output `name`. Returns 0, or a negative errno: -ENOENT if there is none. */
int output_note_read(int segments_fd, const char *name, int64_t *written_s_r);

/* Writes it. With `durable` it is on the disk before this returns. Returns 0 or a negative
 * errno. */
int output_note_write(int segments_fd, const char *name, int64_t written_s, bool durable);

/* Whether there is an output file of that name, as its note or its ledger says. Returns 1 or 0, or
 * a negative errno if it cannot be told. */
int output_note_is_output(int segments_fd, const char *name);

/* Whether the name of a file in the segment directory is a note's. */
bool output_note_name_is(const char *file_name);

/* Removes the note file `file_name` if nobody needs it any more: its period is over, or its output
 * is gone. For the start, before anything is written. */
void output_note_tidy(const struct heritage *heritage, const char *file_name, int64_t now_s);

#endif
