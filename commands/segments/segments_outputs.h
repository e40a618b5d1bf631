/* segments_outputs.h -- the outputs that ledgers and records name, and what each still has to get.
 *
 * Ledgers come first, then the segments one after the other, record by record. Runs in the process
 * of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_OUTPUTS_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment/ledger_format.h"

struct segments_output {
    enum segment_kind kind;
    char *name; /* owned; no NUL at its end */
    size_t name_bytes;
    bool has_ledger;
    struct ledger_mark mark;           /* of the ledger */
    struct ledger_position *positions; /* owned; ordered by id */
    size_t position_count;
    /* In the segment that was entered last: every record before it is delivered. */
    uint64_t consumed_to;
    uint64_t waiting_records;
    uint64_t waiting_bytes; /* of payload */
};

struct segments_outputs {
    struct segments_output **list; /* ordered by kind and name */
    size_t count;
    size_t capacity;
};

/* Adds the output of a ledger. Returns 0, -ENOMEM, or -EEXIST if another ledger told of it. */
int segments_outputs_add_ledger(struct segments_outputs *outputs, const struct ledger_state *state);

/* The records to come are those of this segment. */
void segments_outputs_enter_segment(struct segments_outputs *outputs, const struct segment_id *id);

/* Looks whether the record at `offset` of the segment is delivered, and counts it for its output if
 * it is not. Returns 0 or -ENOMEM. */
int segments_outputs_add_record(struct segments_outputs *outputs,
                                const struct segment_record *record, uint64_t offset,
                                bool *consumed_r);

/* The output of a record that was set aside; NULL without memory. It stays theirs. */
const struct segments_output *segments_outputs_find_aside(struct segments_outputs *outputs,
                                                          const struct segment_record *record);

/* Frees all of it. They may be closed twice. */
void segments_outputs_close(struct segments_outputs *outputs);

#endif
