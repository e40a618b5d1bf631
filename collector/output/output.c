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
output_retry_in_ms(const struct output *output, uint64_t now_ms)
{
    if (output->phase != OUTPUT_SETTLED && !output->refusal.stands)
        return 0;
    return refusal_retry_in_ms(&output->refusal, now_ms);
}

bool
output_retry(struct output *output, struct sources *sources, uint64_t now_ms)
{
    struct ledger_mark mark;
    bool refused = output->refusal.stands;
    int result = output_take_up(output, sources);
    if (result == 0 && refused)
        result = output->operations->prepare(output->destination, &mark);
    if (result != 0)
        output_block(output, result, now_ms);
    else if (refused)
        refusal_note_ready(&output->refusal);
    return result == 0;
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
output_queue(struct output *output, struct source *source, struct segment_position at,
             uint64_t end_offset, const struct segment_record *record)
{
    INVARIANT(!output_is_blocked(output));
    return batch_add(&output->batch,
                     &(struct batch_origin){source, at, end_offset, record->appended_ns},
                     record->payload);
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

/* Up to and with the intent. On error nothing has been delivered. */
static int
begin_batch(struct output *output, const struct sources *sources, struct ledger_mark *mark)
{
    int result = output_have_ledger(output);
    if (result == 0)
        result = output->operations->prepare(output->destination, mark);
    if (result != 0)
        return result;
    mark->length = batch_bytes(&output->batch);
    return output_write_ledger(output, sources, mark, &output->batch);
}

/* Gives the records back to their sources, and empties the batch. */
static void
give_back(struct output *output)
{
    for (size_t i = 0; i < output->batch.count; i++) {
        const struct batch_origin *origin = &output->batch.origins[i];
        skips_add(&output->skips, origin->source, origin->at);
        refusal_add_waiting(&output->refusal, origin->appended_ns);
    }
    batch_give_back(&output->batch);
}

/* Delivers and settles a batch of which the ledger tells. Returns 0 or a negative errno; then
 * the ledger tells of it still. */
static int
deliver(struct output *output, const struct sources *sources, const struct ledger_mark *mark,
        bool *moved_r)
{
    int result = output->operations->deliver(output->destination, output->batch.payloads,
                                             output->batch.count, moved_r);
    crash_point("output.delivered");
    if (result != 0)
        return result;
    output_sync_destination(output);
    crash_point("output.synced");
    result = output_settle(output, sources, &output->batch, mark);
    crash_point("output.settled");
    if (result == 0)
        delivery_count_add(output->heritage, output_log_name(output), &output->batch);
    return result;
}

void
output_deliver(struct output *output, const struct sources *sources, uint64_t now_ms)
{
    if (output->batch.count == 0) {
        batch_trim(&output->batch);
        return;
    }
    INVARIANT(!output_is_blocked(output));
    struct ledger_mark mark;
    bool moved = false;
    int result = begin_batch(output, sources, &mark);
    if (result == 0) {
        crash_point("output.intent_noted");
        result = deliver(output, sources, &mark, &moved);
        if (result != 0 && output_leave_unfinished(output, &mark) != 0)
            output_start_afresh(output, "a batch cannot be remembered; starting afresh", result);
    }
    if (moved)
        refusal_note_progress(&output->refusal);
    if (result == 0) {
        batch_empty(&output->batch);
        refusal_end(&output->refusal, output_log_name(output));
        return;
    }
    give_back(output);
    output_block(output, result, now_ms);
}

void
output_postpone(struct output *output, uint64_t now_ms)
{
    if (output->batch.count == 0)
        return;
    give_back(output);
    output_block(output, -EAGAIN, now_ms);
}

/* ---- ending */

void
output_release(struct output *output)
{
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
    free(output);
}
