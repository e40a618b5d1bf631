/* output.c -- delivers the records of one output. Runs in the collector; output.h has the crash
 * contract, output_deliver() keeps it. */
#include "collector/output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/crash_point.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/output/delivery_count.h"
#include "collector/output/output_private.h"
#include "common/heritage.h"
#include "common/scoreboard.h"

/* ---- making */

int
output_open(struct output **out, const struct heritage *heritage, enum segment_kind kind,
            struct bytes name)
{
    const struct destination_kind *operations = destination_kind_find(kind);
    if (operations == NULL)
        return -EPROTO;
    struct output *output = calloc(1, sizeof(*output));
    if (output == NULL)
        return -ENOMEM;
    output->heritage = heritage;
    output->phase = OUTPUT_SETTLED;
    output->operations = operations;
    output->kind = kind;
    output->name_bytes = name.size;
    output->name = calloc(1, name.size + 1);
    int result = output->name == NULL ? -ENOMEM : 0;
    if (result == 0 && name.size > 0)
        memcpy(output->name, name.data, name.size);
    if (result == 0)
        result = operations->open(&output->destination, heritage, output->name);
    if (result != 0) {
        output_close(&output, false);
        return result;
    }
    *out = output;
    return 0;
}

uint64_t
output_name_hash(enum segment_kind kind, struct bytes name)
{
    return XXH3_64bits_withSeed(name.data, name.size, (uint64_t)kind);
}

uint64_t
output_hash(const struct output *output)
{
    return output_name_hash(output->kind, (struct bytes){output->name, output->name_bytes});
}

/* ---- what is consumed */

int
output_meet_source(struct output *output, const struct source *source)
{
    int result = skips_meet(&output->skips, source);
    return result == 0 ? positions_meet(&output->positions, source) : result;
}

void
output_forget_source(struct output *output, size_t index)
{
    positions_forget(&output->positions, index);
}

bool
output_has_consumed(const struct output *output, const struct source *source, uint64_t offset)
{
    return offset < positions_get(&output->positions, source);
}

/* ---- refusals */

void
output_block(struct output *output, int error, uint64_t now_ms)
{
    refusal_begin(&output->refusal, output_log_name(output), error, now_ms);
}

bool
output_is_blocked(const struct output *output)
{
    return output->refusal.stands || output->phase != OUTPUT_SETTLED;
}

uint64_t
output_retry_in_ms(struct output *output, uint64_t now_ms)
{
    if (output->phase == OUTPUT_SETTLED)
        return refusal_retry_in_ms(&output->refusal, now_ms);
    if (output->syncing)
        return sync_threads_wait(output->threads, &output->sync, 0) ? 0 : UINT64_MAX;
    return output->refusal.stands ? refusal_retry_in_ms(&output->refusal, now_ms) : 0;
}

void
output_hold(struct output *output, bool held)
{
    if (output->held != held)
        output->refusal.retry_at_ms = held ? UINT64_MAX : 0;
    output->held = held;
}

bool
output_retry(struct output *output, struct sources *sources, bool put_off, uint64_t now_ms)
{
    struct ledger_mark mark;
    bool refused = output->refusal.stands;
    bool unfinished = output->phase != OUTPUT_SETTLED;
    if (output->held)
        return false;
    int result = output_take_up(output, sources, put_off);
    if (result == -EINPROGRESS)
        return false;
    if (result == 0 && refused)
        result = output->operations->prepare(output->destination, &mark);
    if (result != 0)
        output_block(output, result, now_ms);
    else if (unfinished) /* it has taken something; what waits for it is read again */
        refusal_end(&output->refusal, output_log_name(output));
    else if (refused)
        refusal_note_ready(&output->refusal);
    return result == 0;
}

void
output_set_threads(struct output *output, struct sync_threads *threads)
{
    output->threads = threads;
}

void
output_set_durable(struct output *output, bool durable)
{
    output->durable = durable;
}

void
output_forget_gone(struct output *output, const struct sources *sources)
{
    positions_forget_gone(&output->positions, sources);
}

/* ---- delivering */

int
output_queue(struct output *output, const struct batch_origin *origin, struct bytes text)
{
    INVARIANT(!output_is_blocked(output));
    return batch_add(&output->batch, origin, text);
}

void
output_pass_over(struct output *output, struct source *source, struct segment_position at,
                 const struct segment_record *record)
{
    INVARIANT(output_is_blocked(output));
    source_skip(source, at);
    skips_add(&output->skips, source, at);
    refusal_add_waiting(&output->refusal, record->appended_ns);
}

struct segment_position
output_passed_over(const struct output *output, const struct source *source)
{
    return skips_get(&output->skips, source);
}

void
output_takes_up(struct output *output, const struct source *source)
{
    INVARIANT(!output_is_blocked(output));
    skips_take(&output->skips, source);
}

uint64_t
output_oldest_ns(const struct output *output)
{
    return output->refusal.oldest_ns == 0 ? UINT64_MAX : output->refusal.oldest_ns;
}

/* Has the sources keep the records of a batch. */
static void
pass_over_batch(struct output *output, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_origin *origin = &batch->origins[i];
        source_skip(origin->source, origin->at);
        skips_add(&output->skips, origin->source, origin->at);
        refusal_add_waiting(&output->refusal, origin->appended_ns);
    }
}

/* A batch of which the ledger tells is not settled, and its records stay where they are. */
static void
leave(struct output *output, const struct batch *batch)
{
    const struct ledger_mark mark = output->mark;
    if (output_leave_unfinished(output, batch, &mark) != 0)
        output_start_afresh(output, "a batch cannot be remembered; starting afresh", -ENOMEM);
    pass_over_batch(output, batch);
}

/* Nothing is delivered of the batch at hand, nor does the ledger tell of it. */
static void
refuse_batch(struct output *output, int error, uint64_t now_ms)
{
    pass_over_batch(output, &output->batch);
    batch_empty(&output->batch);
    output_block(output, error, now_ms);
}

bool
output_prepare(struct output *output, uint64_t now_ms)
{
    if (output->batch.count == 0) {
        batch_trim(&output->batch);
        return false;
    }
    INVARIANT(!output_is_blocked(output));
    int result = output_have_ledger(output);
    if (result == 0)
        result = output->operations->prepare(output->destination, &output->mark);
    if (result != 0)
        refuse_batch(output, result, now_ms);
    return result == 0;
}

bool
output_begin(struct output *output, const struct sources *sources, uint64_t now_ms)
{
    output->mark.length = batch_bytes(&output->batch);
    int result = output_write_ledger(output, sources, &output->mark, &output->batch);
    output->begun = result == 0;
    if (result != 0)
        refuse_batch(output, result, now_ms);
    return result == 0;
}

bool
output_shares_file(const struct output *output, const struct output *other)
{
    return output->kind == SEGMENT_FILE && other->kind == SEGMENT_FILE &&
           output->mark.inode == other->mark.inode && output->mark.device == other->mark.device;
}

bool
output_has_begun(const struct output *output)
{
    return output->begun;
}

void
output_give_up(struct output *output, int error, uint64_t now_ms)
{
    INVARIANT(output->begun);
    output->begun = false;
    leave(output, &output->batch);
    batch_empty(&output->batch);
    output_block(output, error, now_ms);
}

/* Settles and counts what stands in the output. Returns as output_settle(). */
static int
settle_batch(struct output *output, const struct sources *sources, const struct batch *batch)
{
    crash_point("output.synced");
    int result = output_settle(output, sources, batch, &output->mark);
    crash_point("output.settled");
    if (result == 0)
        delivery_count_add(output->heritage, output_log_name(output), batch);
    return result;
}

bool
output_deliver(struct output *output, const struct sources *sources, uint64_t now_ms)
{
    bool moved = false;
    crash_point("output.intent_noted");
    int result = output->operations->deliver(output->destination, output->batch.payloads,
                                             output->batch.count, &moved);
    crash_point("output.delivered");
    if (moved)
        refusal_note_progress(&output->refusal);
    if (result == 0 && !output->durable)
        result = settle_batch(output, sources, &output->batch);
    if (result != 0) {
        output_give_up(output, result, now_ms);
        return false;
    }
    output->begun = false;
    if (output->durable) {
        output_begin_sync(output, &output->batch, &output->mark);
        return true;
    }
    batch_empty(&output->batch);
    refusal_end(&output->refusal, output_log_name(output));
    return true;
}

bool
output_is_syncing(const struct output *output)
{
    return output->syncing;
}

bool
output_settle_delivered(struct output *output, const struct sources *sources, uint64_t until_ms,
                        uint64_t now_ms)
{
    int result = output_end_sync(output, sources, until_ms);
    if (result == 0) {
        refusal_end(&output->refusal, output_log_name(output));
        return true;
    }
    leave(output, &output->delivered);
    if (result == -EINPROGRESS)
        return false;
    batch_clear(&output->delivered);
    output_block(output, result, now_ms);
    return false;
}

void
output_postpone(struct output *output, uint64_t now_ms)
{
    if (output->batch.count > 0)
        refuse_batch(output, -EAGAIN, now_ms);
}

/* ---- syncing */

static int
run_sync(void *context)
{
    struct output *output = context;
    return output->operations->sync(output->destination);
}

static int
run_ledger_sync(void *context)
{
    const struct output *output = context;
    output_sync_ledger(output);
    return 0;
}

void
output_begin_ledger_sync(struct output *output)
{
    output->ledger_syncing = true;
    output->sync = (struct sync_job){.run = run_ledger_sync, .context = output};
    sync_threads_begin(output->threads, &output->sync);
}

void
output_end_ledger_sync(struct output *output)
{
    if (output->ledger_syncing)
        (void)sync_threads_wait(output->threads, &output->sync, UINT64_MAX);
    output->ledger_syncing = false;
}

void
output_begin_sync(struct output *output, struct batch *batch, const struct ledger_mark *mark)
{
    INVARIANT(!output->syncing && output->delivered.count == 0);
    batch_clear(&output->delivered);
    output->syncing = true;
    output->mark = *mark;
    output->delivered = *batch;
    *batch = (struct batch){0};
    output->sync = (struct sync_job){.run = run_sync, .context = output, .is_done = true};
    if (output->durable && output->delivered.count > 0)
        sync_threads_begin(output->threads, &output->sync);
}

/* The memory of the batch that is settled serves the next one. */
static void
recycle(struct output *output)
{
    batch_empty(&output->delivered);
    if (output->batch.capacity == 0) {
        output->batch = output->delivered;
        output->delivered = (struct batch){0};
    }
}

int
output_end_sync(struct output *output, const struct sources *sources, uint64_t until_ms)
{
    INVARIANT(output->syncing);
    if (!sync_threads_wait(output->threads, &output->sync, until_ms))
        return -EINPROGRESS;
    output->syncing = false;
    if (output->sync.result != 0)
        output_start_afresh(output, "an output cannot be synced", output->sync.result);
    int result = settle_batch(output, sources, &output->delivered);
    if (result != 0)
        return result;
    if (output->phase == OUTPUT_UNFINISHED)
        output_enter_phase(output, OUTPUT_SETTLED);
    recycle(output);
    return 0;
}

/* ---- ending */

void
output_release(struct output *output)
{
    if (!output->syncing) /* a thread has it */
        output->operations->release(output->destination);
}

void
output_spare_descriptors(struct output *output)
{
    output_release(output);
    if (output->ledger != NULL)
        ledger_let_go(output->ledger);
}

bool
output_lacks_descriptors(const struct output *output)
{
    return output->refusal.stands &&
           (output->refusal.error == -EMFILE || output->refusal.error == -ENFILE);
}

bool
output_is_forgettable(const struct output *output, const struct sources *sources)
{
    return !output_is_blocked(output) && !positions_matter(&output->positions, sources);
}

void
output_close(struct output **op, bool forget)
{
    struct output *output = *op;
    if (output == NULL)
        return;
    *op = NULL;
    if (output->syncing)
        (void)sync_threads_wait(output->threads, &output->sync, UINT64_MAX);
    INVARIANT(!forget || (output->batch.count == 0 && output->phase == OUTPUT_SETTLED));
    if (forget)
        ledger_remove(&output->ledger);
    ledger_close(&output->ledger);
    if (output->destination != NULL)
        output->operations->close(&output->destination);
    free(output->name);
    free(output->runs);
    positions_clear(&output->positions);
    skips_clear(&output->skips);
    batch_clear(&output->batch);
    batch_clear(&output->delivered);
    free(output);
}
