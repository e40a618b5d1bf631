/* segments_report.h -- what `mygrpcadapter segments` tells a person.
 *
 * Words in columns, a `-` where there is nothing to say, so that awk and grep can read it too.
 * Names and texts come from clients and go to a terminal: what is not printable ASCII is shown as
 * \xNN, but for texts that were asked for as they are. Runs in the process of `mygrpcadapter
 * segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_REPORT_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "commands/segments/segments_survey.h"

struct segments_file;
struct segments_output;
struct segments_outputs;

/* What became of a record. */
enum segments_fate { SEGMENTS_CONSUMED, SEGMENTS_WAITING, SEGMENTS_ASIDE };

/* What is known of one file. */
struct segments_row {
    const struct segments_file *file; /* borrowed */
    uint64_t file_bytes;
    dev_t device;
    ino_t inode;
    long writer;                   /* of a segment: pid, 0 none, LOCK_HOLDER_UNKNOWN */
    struct segments_survey survey; /* of a segment; of a ledger the damage only */
    uint64_t consumed;             /* records */
    uint64_t next;                 /* offset of the first record that is not consumed; 0 = none */
    const struct segments_output
        *aside_of; /* whose records were set aside in it; NULL = no one's */
    bool unreadable;
};

/* Lists the segments among the rows. Returns 0 or -ENOMEM. */
int segments_report_segments(FILE *out, const struct segments_row *rows, size_t count);

/* Lists the outputs. Returns 0 or -ENOMEM. */
int segments_report_outputs(FILE *out, const struct segments_outputs *outputs);

/* Lists what was set aside, and what there is in quarantine/ and aside/ besides segments, if
 * anything. */
void segments_report_aside(FILE *out, const struct segments_row *rows, size_t count);

/* Names every damage among the rows: file, offset and what it is. Returns how many there are. */
size_t segments_report_damage(FILE *out, const struct segments_row *rows, size_t count);

/* The line at the end of --verify. */
void segments_report_verdict(FILE *out, const struct segments_row *rows, size_t count,
                             size_t damaged);

/* One record, with its text: as it is, or escaped on the same line. */
void segments_report_record(FILE *out, const char *file_name, const struct segment_record *record,
                            struct segment_position at, enum segments_fate fate, bool escape);

#endif
