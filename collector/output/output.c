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
#include "segment/segment_directory.h"

#define SET_ASIDE                                                                                  \
    "an output cannot be written; its records are set aside in " SEGMENT_DIRECTORY_QUARANTINE "/"

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

bool
output_is(const struct output *output, enum segment_kind kind, struct bytes name)
{
    return output->kind == kind &&
           bytes_equal((struct bytes){output->name, output->name_bytes}, name);
}

/* ---- what is consumed */

int
output_meet_source(struct output *output, const struct source *source)
{
    return positions_meet(&output->positions, source);
}

void
output_forget_source(struct output *output, size_t index)
{
    positions_forget(&output->positions, index);
    if (output->begun.source_index == index)
        output->begun.bytes = 0;
}

bool
output_has_consumed(const struct output *output, const struct source *source, uint64_t offset)
{
    return offset < positions_get(&output->positions, source);
}

/* ---- refusals */

/* Sends the output's records to quarantine/ from now on. Returns 0 or a negative errno. */
static int
set_aside(struct output *output)
{
    struct destination *aside = NULL;
    int result = aside_destination.open(&aside, output->heritage, output->name);
    if (result != 0)
        return result;
    log_write(LOG_LEVEL_ERROR, SET_ASIDE,
              LOG_FIELDS(log_string("output", output_log_name(output))));
    tally_add(&output->heritage->scoreboard->collector.quarantined, 1);
    output->operations->close(&output->destination);
    output->operations = &aside_destination;
    output->destination = aside;
    output->unfinished.length = 0;
    output->begun.bytes = 0;
    refusal_note_set_aside(&output->refusal);
    crash_point("output.set_aside");
    return 0;
}

const char *
output_log_name(const struct output *output)
{
    return output->kind == SEGMENT_STANDARD_OUTPUT ? "standard output" : output->name;
}

void
output_block(struct output *output, int error, uint64_t now_ms)
{
    refusal_begin(&output->refusal, output_log_name(output), error, now_ms);
}

bool
output_is_blocked(const struct output *output)
{
    return output->refusal.stands;
}

uint64_t
output_retry_in_ms(const struct output *output, uint64_t now_ms)
{
    return refusal_retry_in_ms(&output->refusal, now_ms);
}

bool
output_retry(struct output *output, uint64_t now_ms)
{
    struct ledger_mark mark;
    int result = output_take_back(output);
    if (result == 0)
        result = output->operations->prepare(output->destination, &mark);
    if (result != 0 && refusal_is_final(&output->refusal, result, now_ms))
        result = set_aside(output);
    if (result != 0)
        output_block(output, result, now_ms);
    else
        refusal_note_ready(&output->refusal);
    return result == 0;
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
    source_skip(source, at);
    refusal_add_waiting(&output->refusal, record->appended_ns);
}

uint64_t
output_oldest_ns(const struct output *output)
{
    return output->refusal.oldest_ns == 0 ? UINT64_MAX : output->refusal.oldest_ns;
}

/* Up to and with the intent. On error nothing has been delivered. */
static int
begin_batch(struct output *output, const struct sources *sources, struct delivery *delivery)
{
    int result = output_take_back(output);
    INVARIANT(result != 0 || output->unfinished.length == 0);
    if (result == 0)
        result = output_have_ledger(output);
    if (result == 0 && output->begun.bytes > 0 &&
        batch_move_to_front(&output->batch, output->begun.source_index, output->begun.offset) != 0)
        result = -EAGAIN; /* the record to go on with is not among these */
    if (result == 0)
        result = output->operations->prepare(output->destination, &delivery->mark);
    if (result != 0)
        return result;
    delivery->mark.length = batch_bytes(&output->batch);
    delivery->begun_bytes = output->begun.bytes;
    return output_write_ledger(output, sources, &delivery->mark);
}

/* Notes what came of a batch of which `delivered` records are out. */
static void
settle(struct output *output, const struct sources *sources, const struct delivery *delivery,
       size_t delivered)
{
    for (size_t i = 0; i < delivered; i++) {
        const struct batch_origin *origin = &output->batch.origins[i];
        positions_set(&output->positions, origin->source, origin->end_offset);
    }
    output->begun.bytes = 0;
    if (delivered < output->batch.count && delivery->begun_bytes > 0) {
        const struct batch_origin *begun = &output->batch.origins[delivered];
        output->begun.source_index = begun->source->index;
        output->begun.offset = begun->at.offset;
        output->begun.bytes = delivery->begun_bytes;
    }
    output->unfinished = delivery->mark;
    int result = output_write_ledger(output, sources, &delivery->mark);
    /* The bytes are out and the ledger does not know: only a collector that takes them back by the
     * ledger's intent can go on without writing them twice. */
    if (result != 0 && delivered > 0)
        output_start_afresh(output, "cannot write a ledger", result);
}

/* Gives the records from `first` on back to their sources, and empties the batch. */
static void
give_back(struct output *output, size_t first)
{
    for (size_t i = first; i < output->batch.count; i++)
        refusal_add_waiting(&output->refusal, output->batch.origins[i].appended_ns);
    batch_give_back(&output->batch, first);
}

void
output_deliver(struct output *output, const struct sources *sources, uint64_t now_ms)
{
    if (output->batch.count == 0) {
        batch_trim(&output->batch);
        return;
    }
    INVARIANT(!output_is_blocked(output));
    struct delivery delivery = {.error = 0};
    size_t delivered = 0;
    int error = begin_batch(output, sources, &delivery);
    if (error == 0) {
        crash_point("output.intent_noted");
        delivered = output->operations->deliver(output->destination, output->batch.payloads,
                                                output->batch.count, &delivery);
        error = delivery.error;
        INVARIANT(delivered == output->batch.count ||
                  (delivered < output->batch.count && error != 0));
        crash_point("output.delivered");
        output_sync_destination(output);
        crash_point("output.synced");
        settle(output, sources, &delivery, delivered);
        crash_point("output.settled");
    }
    delivery_count_add(output->heritage, output_log_name(output), &output->batch, delivered);
    give_back(output, delivered);
    if (delivered > 0)
        refusal_note_progress(&output->refusal);
    if (error != 0)
        output_block(output, error, now_ms);
    else
        refusal_end(&output->refusal, output_log_name(output));
}

void
output_postpone(struct output *output, uint64_t now_ms)
{
    if (output->batch.count == 0)
        return;
    give_back(output, 0);
    output_block(output, -EAGAIN, now_ms);
}

/* ---- ending */

void
output_release(struct output *output)
{
    output->operations->release(output->destination);
}

bool
output_is_forgettable(const struct output *output, const struct sources *sources)
{
    return !output->refusal.stands && output->unfinished.length == 0 &&
           !positions_matter(&output->positions, sources);
}

void
output_close(struct output **op, bool forget)
{
    struct output *output = *op;
    if (output == NULL)
        return;
    *op = NULL;
    INVARIANT(!forget || (output->batch.count == 0 && output->unfinished.length == 0));
    if (forget)
        ledger_remove(&output->ledger);
    ledger_close(&output->ledger);
    if (output->destination != NULL)
        output->operations->close(&output->destination);
    free(output->name);
    positions_clear(&output->positions);
    batch_clear(&output->batch);
    free(output);
}
