/* output.c -- delivers the records of one output. Runs in the collector; output.h has the crash
 * contract, output_deliver() keeps it. */
#include "collector/output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "collector/output/delivery_count.h"
#include "collector/output/batch.h"
#include "collector/output/ledger.h"
#include "collector/destination/destination.h"
#include "collector/output/positions.h"
#include "collector/output/refusal.h"
#include "base/crash_point.h"
#include "common/heritage.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_directory.h"

struct output {
    const struct heritage *heritage;
    const struct destination_kind *operations;
    struct destination *destination;
    struct ledger *ledger; /* NULL until something is to be delivered */
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

int
output_recover(struct output **out, const struct heritage *heritage, const char *ledger_name)
{
    struct ledger *ledger = NULL;
    struct ledger_state state;
    int result =
        ledger_open_existing(&ledger, heritage->fds[HERITAGE_FD_SEGMENTS], ledger_name, &state);
    if (result != 0)
        return result;
    struct output *output = NULL;
    result = output_open(&output, heritage, state.kind, state.name);
    if (result == 0)
        result = positions_recover(&output->positions, &state);
    if (result != 0) {
        output_close(&output, false);
        ledger_close(&ledger);
        return result;
    }
    output->ledger = ledger;
    output->unfinished = state.mark;
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

/* Ends the process, for a new collector to take everything up from what is on the volume. */
_Noreturn static void
start_afresh(const struct output *output, const char *why, int error)
{
    log_write(LOG_LEVEL_ERROR, why,
              LOG_FIELDS(log_string("output", output->name), log_error(error)));
    exit(EXIT_FAILURE);
}

static bool
is_durable(const struct output *output)
{
    return output->heritage->settings->segments_durability == DURABILITY_MACHINE;
}

/* With durability "machine": waits until the disk has what was delivered or cut back. The sync itself
 * cannot fail; that the directory is gone, and cannot be opened, can. */
static void
sync_destination(const struct output *output)
{
    int result = is_durable(output) ? output->operations->sync(output->destination) : 0;
    if (result != 0)
        start_afresh(output, "an output cannot be synced", result);
}

/* Writes the ledger; for durability "machine" it is on the disk before this returns. */
static int
write_ledger(struct output *output, const struct sources *sources, const struct ledger_mark *mark)
{
    const struct ledger_position *list = NULL;
    ssize_t count = positions_list(&output->positions, sources, &list);
    int result = count < 0 ? (int)count : ledger_write(output->ledger, mark, list, (size_t)count);
    if (result == 0 && is_durable(output))
        ledger_sync(output->ledger);
    return result;
}

/* Makes the ledger of an output that was not recovered. One that is there all the same could not be
 * read at the start: what it says must not be ignored now that it can. */
static int
make_ledger(struct output *output)
{
    bool created;
    int result =
        ledger_open(&output->ledger, output->heritage->fds[HERITAGE_FD_SEGMENTS], output->kind,
                    (struct bytes){output->name, output->name_bytes}, is_durable(output), &created);
    if (result == 0 && !created)
        start_afresh(output, "a ledger can be read again; starting afresh", 0);
    return result;
}

/* ---- refusals */

static const char *
name_for_log(const struct output *output)
{
    return output->kind == SEGMENT_STANDARD_OUTPUT ? "standard output" : output->name;
}

static void
block(struct output *output, int error, uint64_t now_ms)
{
    refusal_begin(&output->refusal, name_for_log(output), error, now_ms);
}

/* Sends the output's records to quarantine/ from now on. Returns 0 or a negative errno. */
static int
set_aside(struct output *output)
{
    struct destination *aside = NULL;
    int result = aside_destination.open(&aside, output->heritage, output->name);
    if (result != 0)
        return result;
    log_write(
        LOG_LEVEL_ERROR,
        "an output cannot be written; its records are set aside in " SEGMENT_DIRECTORY_QUARANTINE
        "/",
        LOG_FIELDS(log_string("output", name_for_log(output))));
    tally_add(&output->heritage->scoreboard->collector.quarantined, 1);
    output->operations->close(&output->destination);
    output->operations = &aside_destination;
    output->destination = aside;
    output->unfinished.length = 0;
    output->begun.bytes = 0;
    output->refusal.hopeless_since_ms = 0;
    crash_point("output.set_aside");
    return 0;
}

static int
undo(struct output *output)
{
    if (output->unfinished.length == 0)
        return 0;
    int result = output->operations->undo(output->destination, &output->unfinished);
    if (result != 0)
        return result;
    sync_destination(output);
    crash_point("output.undone");
    /* On the disk too: another name of the same file may be written to before this ledger is, and the
     * next collector would take that for the batch. */
    result = ledger_settle(output->ledger);
    if (result == -EBADMSG)
        start_afresh(output, "a ledger was damaged by somebody else; starting afresh", result);
    if (result != 0)
        return result;
    if (is_durable(output))
        ledger_sync(output->ledger);
    crash_point("output.undo_noted");
    output->unfinished.length = 0;
    return 0;
}

void
output_undo(struct output *output, uint64_t now_ms)
{
    int result = undo(output);
    if (result != 0)
        block(output, result, now_ms);
}

bool
output_is_unfinished(const struct output *output)
{
    return output->unfinished.length > 0;
}

bool
output_stands_in_the_way_of(const struct output *output, const struct output *other)
{
    uint64_t device;
    uint64_t inode;
    return output != other && output->unfinished.length > 0 &&
           other->operations->identify(other->destination, &device, &inode) == 0 &&
           device == output->unfinished.device && inode == output->unfinished.inode;
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
    int result = undo(output);
    if (result == 0)
        result = output->operations->prepare(output->destination, &mark);
    if (result != 0 && refusal_is_final(&output->refusal, result, now_ms))
        result = set_aside(output);
    if (result != 0)
        block(output, result, now_ms);
    else
        output->refusal.stands = false;
    return result == 0;
}

/* ---- delivering */

int
output_queue(struct output *output, struct source *source, struct segment_position at,
             uint64_t end_offset, const struct segment_record *record)
{
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

/* Makes the output's ledger if it has none, and another one if somebody removed it. Where that cannot be
 * made (the directory is gone), the old one does for this process. Returns 0 or a negative errno. */
static int
have_ledger(struct output *output)
{
    struct ledger *removed = output->ledger;
    if (removed != NULL && ledger_is_there(removed))
        return 0;
    output->ledger = NULL;
    int result = make_ledger(output);
    if (removed == NULL)
        return result;
    if (result != 0) {
        output->ledger = removed;
        return 0;
    }
    log_write(LOG_LEVEL_ERROR, "a ledger was removed by somebody else; another one is made",
              LOG_FIELDS(log_string("output", name_for_log(output))));
    ledger_close(&removed);
    return 0;
}

/* Up to and with the intent. On error nothing has been delivered. */
static int
begin_batch(struct output *output, const struct sources *sources, struct delivery *delivery)
{
    int result = undo(output);
    if (result == 0)
        result = have_ledger(output);
    if (result == 0 && output->begun.bytes > 0 &&
        batch_move_to_front(&output->batch, output->begun.source_index, output->begun.offset) != 0)
        result = -EAGAIN; /* the record to go on with is not among these */
    if (result == 0)
        result = output->operations->prepare(output->destination, &delivery->mark);
    if (result != 0)
        return result;
    delivery->mark.length = batch_bytes(&output->batch);
    delivery->begun_bytes = output->begun.bytes;
    return write_ledger(output, sources, &delivery->mark);
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
    int result = write_ledger(output, sources, &delivery->mark);
    /* The bytes are out and the ledger does not know: only a collector that takes them back by the
     * ledger's intent can go on without writing them twice. */
    if (result != 0 && delivered > 0)
        start_afresh(output, "cannot write a ledger", result);
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
    struct delivery delivery = {.error = 0};
    size_t delivered = 0;
    int error = begin_batch(output, sources, &delivery);
    if (error == 0) {
        crash_point("output.intent_noted");
        delivered = output->operations->deliver(output->destination, output->batch.payloads,
                                                output->batch.count, &delivery);
        error = delivery.error;
        INVARIANT(delivered == output->batch.count || error != 0);
        crash_point("output.delivered");
        sync_destination(output);
        crash_point("output.synced");
        settle(output, sources, &delivery, delivered);
        crash_point("output.settled");
    }
    delivery_count_add(output->heritage, name_for_log(output), &output->batch, delivered);
    give_back(output, delivered);
    if (delivered > 0)
        output->refusal.retry_ms = 0;
    if (error != 0)
        block(output, error, now_ms);
    else
        refusal_end(&output->refusal, name_for_log(output));
}

void
output_postpone(struct output *output, uint64_t now_ms)
{
    if (output->batch.count == 0)
        return;
    give_back(output, 0);
    block(output, -EAGAIN, now_ms);
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
