/* segments_inspect.h -- visits every file of a segment directory once and notes what is in it.
 *
 * First the ledgers, then the segments: what the collector delivers meanwhile is called waiting,
 * never the other way round. Runs in the process of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_INSPECT_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "commands/segments/segments_listing.h"
#include "commands/segments/segments_outputs.h"
#include "commands/segments/segments_report.h"

struct segments_inspection {
    struct segments_listing listing;
    struct segments_outputs outputs;
    /* One for each file that was still there; they borrow from the listing. */
    struct segments_row *rows;
    size_t row_count;
    /* One of them cannot be read. */
    bool unreadable;
};

/* Inspects the directory. Records are written to `dump` unless it is NULL; a file that cannot be
 * read is named on standard error. Returns 0, -EIO if `dump` cannot be written, or another negative
 * errno if the directory cannot be read or there is no memory. The caller calls
 * segments_inspection_close() in either case. */
int segments_inspect(struct segments_inspection *inspection, int directory_fd, FILE *dump,
                     bool escape);

/* Frees what was noted. It may be closed twice. */
void segments_inspection_close(struct segments_inspection *inspection);

#endif
