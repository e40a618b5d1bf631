/* output_private.h -- what the files of an output share: output.c, which delivers, output_ledger.c,
 * which notes how far it is, and output_recovery.c, which takes back what an earlier collector
 * left. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_PRIVATE_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_PRIVATE_H

#include "collector/destination/destination.h"
#include "collector/output/batch.h"
#include "collector/output/ledger.h"
#include "collector/output/output.h"
#include "collector/output/positions.h"
#include "collector/output/refusal.h"

struct output {
    const struct heritage *heritage;
    const struct destination_kind *operations;
    struct destination *destination;
    /* NULL until something is to be delivered. */
    struct ledger *ledger;
    enum segment_kind kind;
    char *name; /* NUL-terminated */
    size_t name_bytes;
    /* A batch that was cut short and is still to be taken back; length 0 = none. */
    struct ledger_mark unfinished;
    /* A record that the destination has begun and could not finish; bytes 0 = none. */
    struct {
        size_t source_index;
        uint64_t offset;
        size_t bytes;
    } begun;
    struct positions positions;
    struct batch batch;
    struct refusal refusal;
};

/* What the output is called in the log. */
const char *output_log_name(const struct output *output);

/* True with durability "machine": each step is on the disk before the next one is taken. */
bool output_is_durable(const struct output *output);

/* Ends the process, for a new collector to take everything up from what is on the volume. */
_Noreturn void output_start_afresh(const struct output *output, const char *why, int error);

/* With durability "machine": waits until the disk has what was delivered or cut back. The sync
 * itself cannot fail. That the directory is gone, and cannot be opened, can; then the process
 * ends. */
void output_sync_destination(const struct output *output);

/* Makes the output's ledger if it has none, and another one if somebody removed it. Where that
 * cannot be made (the directory is gone), the old one does for this process. Returns 0 or a
 * negative errno. */
int output_have_ledger(struct output *output);

/* Writes the ledger: the mark, and the positions as they are. With durability "machine" it is on
 * the disk before this returns. Returns 0 or a negative errno; then the ledger says what it
 * said. */
int output_write_ledger(struct output *output, const struct sources *sources,
                        const struct ledger_mark *mark);

/* Takes back the unfinished batch, if there is one, and has the ledger say so. Returns 0 or a
 * negative errno; then it is still there. */
int output_take_back(struct output *output);

/* The destination refuses, with that negative errno: until the output is tried again, its records
 * are passed over. */
void output_block(struct output *output, int error, uint64_t now_ms);

#endif
