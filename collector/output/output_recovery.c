/* output_recovery.c -- takes up what was left of one output: what an earlier collector noted, and a
 * batch that it, or this one, could not end. Runs in the collector.
 *
 * Every start takes this way, and every batch that a full volume cut short. Each ledger in the
 * segment directory becomes an output with the positions that it tells of. Then, before anything is
 * delivered to it and before any segment is removed:
 *   1. what was read is written again where it stands, and, with durability "machine", synced: it
 *      may have been in the memory of the kernel only;
 *   2. where the ledger tells of a batch, the batch is read again from the segments, and the
 *      destination compares it with what stands and writes what is missing;
 *   3. the ledger is settled.
 * A segment of the batch that is gone was removed by a collector whose ledgers were settled: its
 * records are delivered.
 *
 * Crash contract: a kill in here repeats and skips nothing. The ledger tells of the batch until all
 * of it stands, and to complete a batch that stands changes nothing.
 */
#include <errno.h>

#include "base/array.h"
#include "base/crash_point.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/input/sources.h"
#include "collector/output/batch_guess.h"
#include "collector/output/output_private.h"

void
output_enter_phase(struct output *output, enum output_phase phase)
{
    INVARIANT(output->phase != phase);
    INVARIANT(phase != OUTPUT_RECOVERED);
    INVARIANT(phase != OUTPUT_UNFINISHED || output->mark.length > 0);
    output->phase = phase;
}

int
output_keep_runs(struct output *output, const struct ledger_position *positions, size_t count)
{
    int result = ARRAY_RESERVE(output->runs, output->run_capacity, count);
    output->run_count = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (positions[i].before < positions[i].after)
            output->runs[output->run_count++] = positions[i];
    }
    return result;
}

/* Remembers what the ledger says of the batch. Returns 0 or -ENOMEM. */
static int
remember(struct output *output, const struct ledger_mark *mark, const struct batch *batch)
{
    const struct ledger_position *list = NULL;
    ssize_t count = positions_list_batch(&output->positions, batch, &list);
    int result = count < 0 ? (int)count : output_keep_runs(output, list, (size_t)count);
    if (result != 0)
        return result;
    output->mark = *mark;
    output->batch_unknown = false;
    return 0;
}

int
output_leave_unfinished(struct output *output, const struct batch *batch,
                        const struct ledger_mark *mark)
{
    int result = remember(output, mark, batch);
    if (result == 0)
        output_enter_phase(output, OUTPUT_UNFINISHED);
    return result;
}

/* Writes again what was read. Returns 0 or a negative errno. */
static int
secure_ledger(struct output *output)
{
    int result = ledger_rewrite(output->ledger);
    if (result == -EBADMSG || result == -ENOENT || result == -ESTALE)
        output_start_afresh(output, "a ledger was damaged by somebody else; starting afresh",
                            result);
    if (result == 0)
        output_sync_ledger(output);
    crash_point("output.secured");
    return result;
}

/* Makes a batch of its own of the records behind the first `standing`, since the mark is of no
 * use any more, and delivers it. Returns 0 or a negative errno. */
static int
begin_anew(struct output *output, const struct sources *sources, struct batch *batch,
           size_t standing, bool *moved_r)
{
    struct ledger_mark mark;
    for (size_t i = 0; i < standing; i++)
        positions_set(&output->positions, batch->origins[i].source, batch->origins[i].end_offset);
    batch_drop_first(batch, standing);
    int result = output->operations->prepare(output->destination, &mark);
    if (result != 0)
        return result;
    mark.length = batch_bytes(batch);
    result = output_write_ledger(output, sources, &mark, batch);
    if (result == 0)
        output_sync_ledger(output);
    crash_point("output.begun_anew");
    if (result != 0)
        return result;
    if (remember(output, &mark, batch) != 0)
        output_start_afresh(output, "a batch cannot be remembered; starting afresh", -ENOMEM);
    return output->operations->deliver(output->destination, batch->payloads, batch->count, moved_r);
}

/* Has the destination write what is missing of the batch. */
static int
complete_destination(struct output *output, const struct sources *sources, struct batch *batch)
{
    bool moved = false;
    size_t standing = 0;
    if (batch->count == 0)
        return 0;
    int result = output->operations->complete(output->destination, &output->mark, batch->payloads,
                                              batch->count, output->durable, &moved, &standing);
    if (result == -ERANGE)
        result = begin_anew(output, sources, batch, standing, &moved);
    crash_point("output.completed");
    if (moved)
        refusal_note_progress(&output->refusal);
    return result;
}

struct batch_reading
output_begin_reading(const struct output *output)
{
    return (struct batch_reading){.kind = output->kind,
                                  .name = {output->name, output->name_bytes},
                                  .log_name = output_log_name(output)};
}

int
output_read_unfinished(struct output *output, struct sources *sources,
                       struct batch_reading *reading)
{
    int result = output->batch_unknown ? batch_guess(output, sources) : 0;
    for (size_t i = 0; i < output->run_count && result == 0; i++)
        result = batch_reading_add(reading, sources, &output->runs[i]);
    return result;
}

/* Settles the batch that was completed, if its sync is done. */
static int
end_sync(struct output *output, const struct sources *sources)
{
    int result = output_end_sync(output, sources, 0);
    if (result == 0)
        output_sync_ledger(output);
    else if (result != -EINPROGRESS)
        batch_clear(&output->delivered); /* it is read again */
    crash_point("output.completion_noted");
    return result;
}

/* Goes on with the unfinished batch. */
static int
complete(struct output *output, struct sources *sources)
{
    struct batch_reading reading = output_begin_reading(output);
    int result = output_read_unfinished(output, sources, &reading);
    batch_reading_end(&reading);
    if (result == 0)
        result = complete_destination(output, sources, &reading.batch);
    if (result == 0)
        output_begin_sync(output, &reading.batch, &output->mark);
    batch_reading_clear(&reading);
    return result == 0 ? end_sync(output, sources) : result;
}

int
output_take_up(struct output *output, struct sources *sources, bool put_off)
{
    int result = 0;
    if (output->phase == OUTPUT_RECOVERED) {
        result = secure_ledger(output);
        if (result == 0)
            output_enter_phase(output,
                               output->mark.length > 0 ? OUTPUT_UNFINISHED : OUTPUT_SETTLED);
    }
    if (result == 0 && put_off)
        return -EAGAIN;
    if (result == 0 && output->phase == OUTPUT_UNFINISHED)
        result = output->syncing ? end_sync(output, sources) : complete(output, sources);
    return result;
}

bool
output_is_unfinished(const struct output *output)
{
    return output->phase != OUTPUT_SETTLED;
}

bool
output_is_secured(const struct output *output)
{
    return output->phase != OUTPUT_RECOVERED;
}

static bool
is_same_file(const struct output *output, uint64_t device, uint64_t inode)
{
    uint64_t own_device;
    uint64_t own_inode;
    return (device == output->mark.device && inode == output->mark.inode) ||
           (output->operations->identify(output->destination, &own_device, &own_inode) == 0 &&
            device == own_device && inode == own_inode);
}

bool
output_stands_in_the_way_of(const struct output *output, const struct output *other)
{
    uint64_t device;
    uint64_t inode;
    if (output == other || output->phase == OUTPUT_SETTLED || output->mark.length == 0)
        return false;
    int result = other->operations->identify(other->destination, &device, &inode);
    return result == 0 ? is_same_file(output, device, inode) : result != -ENOENT;
}

bool
output_is_displaced(const struct output *output)
{
    uint64_t device;
    uint64_t inode;
    return output->phase != OUTPUT_SETTLED && output->mark.length > 0 &&
           output->operations->identify(output->destination, &device, &inode) == 0 &&
           (device != output->mark.device || inode != output->mark.inode);
}
