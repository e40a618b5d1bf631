/* ledger_reader.h -- reads the records of a ledger file, and finds the one that counts.
 *
 * Trusts nothing in the file. Runs in the collector and in `mygrpcadapter segments`; it only reads,
 * so a ledger may be looked at while the collector writes it.
 */
#ifndef MYGRPCADAPTER_SEGMENT_LEDGER_READER_H
#define MYGRPCADAPTER_SEGMENT_LEDGER_READER_H

#include <stddef.h>

#include "segment/ledger_format.h"

/* Memory for one record and what it says. Zero it before use; ledger_record_clear() frees it. */
struct ledger_record {
    unsigned char *bytes;
    size_t capacity;
    struct ledger_position *positions;
    size_t position_capacity;
    /* Of the record that is in it; 0 = none. */
    size_t size;
};

/* Makes room for a record of so many bytes; what is in it is lost. Returns 0 or -ENOMEM. */
int ledger_record_reserve(struct ledger_record *record, size_t bytes);

/* Frees its memory; leaves it empty. */
void ledger_record_clear(struct ledger_record *record);

/* Reads a block of the open ledger file `fd`, from its first copy that is whole. Returns 0 with a
 * whole record, -EBADMSG if there is none in that block, or another negative errno if it cannot be
 * read (-ENOMEM: without memory). */
int ledger_record_read(struct ledger_record *record, int fd, unsigned block);

/* The same for one copy of a block alone. */
int ledger_record_read_copy(struct ledger_record *record, int fd, unsigned block, unsigned copy);

/* Reads both blocks and keeps the record that counts. Returns the number of its block, or
 * LEDGER_BLOCKS if neither holds one. faults_r has what ledger_record_read() returned for each. */
unsigned ledger_record_read_newest(struct ledger_record *record, int fd,
                                   int faults_r[static LEDGER_BLOCKS]);

/* What the record says. *state_r points into it, and is good until the record changes. Returns 0 or
 * -ENOMEM. */
int ledger_record_state(struct ledger_record *record, struct ledger_state *state_r);

#endif
