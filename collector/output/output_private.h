/* output_private.h -- what the files of an output share: output.c, which delivers,
 * output_ledger.c, which notes how far it is, output_recovery.c, which goes on with what was left
 * unfinished, and output_aside.c, which sets aside. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_PRIVATE_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_PRIVATE_H

#include "collector/destination/destination.h"
#include "collector/output/batch.h"
#include "collector/output/batch_reading.h"
#include "collector/output/ledger.h"
#include "collector/output/output.h"
#include "collector/output/positions.h"
#include "collector/output/refusal.h"
#include "collector/output/skips.h"
#include "collector/output/sync_threads.h"

/*     RECOVERED ──▶ UNFINISHED ──▶ SETTLED
 *         └──────────────────────▶    │ ▲
 *                       ▲              └─┘ a batch
 *                       └──────────────┘ a batch that could not be ended
 * The phase is what the ledger on the volume says: no write of it that failed is taken for done.
 */
enum output_phase {
    /* No batch is under way. */
    OUTPUT_SETTLED,
    /* The ledger was read, and may be in the memory of the kernel only. */
    OUTPUT_RECOVERED,
    /* The ledger tells of a batch of which any part may stand in the output. */
    OUTPUT_UNFINISHED,
};

struct output {
    const struct heritage *heritage;
    const struct destination_kind *operations;
    struct destination *destination;
    /* NULL until something is to be delivered. */
    struct ledger *ledger;
    enum segment_kind kind;
    char *name; /* NUL-terminated */
    size_t name_bytes;
    enum output_phase phase;
    /* With durability "machine" each step is on the disk before the next one is taken. */
    bool durable;
    /* The ledger does not say which records the unfinished batch has. */
    bool batch_unknown;
    /* Of the batch that is unfinished: what the ledger on the volume says of it. */
    struct ledger_mark mark;
    struct ledger_position *runs;
    size_t run_count;
    size_t run_capacity;
    struct positions positions;
    /* What was passed over; only while it is blocked. */
    struct skips skips;
    struct batch batch;
    struct refusal refusal;
    /* What is delivered while its sync is under way. Its texts are gone. */
    struct batch delivered;
    struct sync_job sync;
    struct sync_threads *threads; /* borrowed; NULL = syncs are done at once */
    /* A sync of what is delivered is under way: the output is unfinished as long, and its records
     * stay where they are. */
    bool syncing;
    /* The same of its ledger: within outputs_deliver() only. */
    bool ledger_syncing;
    /* The ledger tells of the batch at hand, of which nothing is delivered yet: within
     * outputs_deliver() only. */
    bool begun;
    /* It is not tried again. */
    bool held;
};

/* What the output is called in the log. */
const char *output_log_name(const struct output *output);

/* Ends the process, for a new collector to take everything up from what is on the volume. */
_Noreturn void output_start_afresh(const struct output *output, const char *why, int error);

/* With durability "machine": waits until the disk has what was delivered. The sync itself cannot
 * fail. That the directory is gone, and cannot be opened, can; then the process ends. */
void output_sync_destination(const struct output *output);

/* With durability "machine": waits until the disk has what was written to the ledger. */
void output_sync_ledger(const struct output *output);

/* All of a batch stands in the output, which the ledger tells of with that mark. With durability
 * "machine" its sync is begun, and the batch taken away from the caller. */
void output_begin_sync(struct output *output, struct batch *batch, const struct ledger_mark *mark);

/* Goes on when the sync is done: settles, and counts. The ledger is not synced. Returns 0;
 * -EINPROGRESS if it is not done by that moment of the monotonic clock, ms; or another negative
 * errno, and the ledger tells of the batch still. */
int output_end_sync(struct output *output, const struct sources *sources, uint64_t until_ms);

/* Makes the output's ledger if it has none, and another one if somebody removed it. Where that
 * cannot be made (the directory is gone), the old one does for this process. Returns 0 or a
 * negative errno. */
int output_have_ledger(struct output *output);

/* Writes the ledger: the mark, the positions as they are, and those of the batch, which is under
 * way, or settled if the mark has no length. It is not synced. Returns 0 or a negative errno; then
 * the ledger says what it said. */
int output_write_ledger(struct output *output, const struct sources *sources,
                        const struct ledger_mark *mark, const struct batch *batch);

/* Notes in the ledger, which is not synced, and then in the positions, that nothing of a batch
 * which began at that mark is to be delivered any more. Returns 0 or a negative errno; then the
 * ledger tells of the batch still. */
int output_settle(struct output *output, const struct sources *sources, const struct batch *batch,
                  const struct ledger_mark *mark);

/* The ledger on the volume says so now. */
void output_enter_phase(struct output *output, enum output_phase phase);

/* Keeps of a ledger's positions those of its batch. Returns 0 or -ENOMEM. */
int output_keep_runs(struct output *output, const struct ledger_position *positions, size_t count);

/* A batch of which the ledger tells with that mark could not be ended: it is to be gone on with by
 * output_take_up(). Returns 0 or -ENOMEM. */
int output_leave_unfinished(struct output *output, const struct batch *batch,
                            const struct ledger_mark *mark);

/* A reading of the output's records. */
struct batch_reading output_begin_reading(const struct output *output);

/* Reads the unfinished batch again, as the ledger on the volume tells of it. Returns 0 or a
 * negative errno; the caller ends the reading. */
int output_read_unfinished(struct output *output, struct sources *sources,
                           struct batch_reading *reading);

/* Makes durable what was read, and goes on with the unfinished batch, if there is one: reads it
 * again from the segments, has the destination write what is missing, and settles; with `put_off`
 * it does not go on. Returns 0 or a negative errno; then it may be tried again. */
int output_take_up(struct output *output, struct sources *sources, bool put_off);

/* The destination refuses, with that negative errno: until the output is tried again, its records
 * are passed over. */
void output_block(struct output *output, int error, uint64_t now_ms);

#endif
