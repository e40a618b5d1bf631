/* outputs.c -- finds, tries, delivers to and forgets outputs. Runs in the collector. */
#include "collector/output/outputs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/invariant.h"
#include "collector/input/sources.h"
#include "collector/output/output.h"

/* With durability "machine" a pass waits so long for the syncs of its outputs. One that takes
 * longer holds up its own output alone. */
#define SYNC_PATIENCE_MS 100U

void
outputs_init(struct outputs *outputs, const struct heritage *heritage, struct sync_threads *threads)
{
    *outputs = (struct outputs){.heritage = heritage, .threads = threads};
}

int
outputs_add(struct outputs *outputs, struct output *output)
{
    int result = ARRAY_RESERVE(outputs->list, outputs->capacity, outputs->count + 1);
    output_set_durable(output, outputs->durable);
    output_set_threads(output, outputs->threads);
    if (result == 0)
        result = output_index_add(&outputs->index, output);
    if (result == 0)
        outputs->list[outputs->count++] = output;
    return result;
}

struct output *
outputs_find(struct outputs *outputs, enum segment_kind kind, struct bytes name)
{
    return output_index_find(&outputs->index, kind, name);
}

int
outputs_make(struct outputs *outputs, const struct sources *sources, enum segment_kind kind,
             struct bytes name, struct output **output_r)
{
    int result = output_open(output_r, outputs->heritage, kind, name);
    if (result != 0)
        return result;
    for (size_t i = 0; i < sources->count && result == 0; i++)
        result = output_meet_source(*output_r, sources->list[i]);
    if (result == 0)
        result = outputs_add(outputs, *output_r);
    if (result != 0)
        output_close(output_r, false);
    return result;
}

int
outputs_meet_source(struct outputs *outputs, const struct source *source)
{
    int result = 0;
    for (size_t i = 0; i < outputs->count && result == 0; i++)
        result = output_meet_source(outputs->list[i], source);
    return result;
}

void
outputs_forget_source(struct outputs *outputs, size_t index)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_forget_source(outputs->list[i], index);
}

void
outputs_set_durable(struct outputs *outputs, bool durable)
{
    if (outputs->durable == durable)
        return;
    outputs->durable = durable;
    for (size_t i = 0; i < outputs->count; i++)
        output_set_durable(outputs->list[i], durable);
}

void
outputs_forget_gone(struct outputs *outputs, const struct sources *sources)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_forget_gone(outputs->list[i], sources);
}

bool
outputs_are_secured(const struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (!output_is_secured(outputs->list[i]))
            return false;
    }
    return true;
}

/* The earlier of two positions, of which offset 0 stands for none. */
static struct segment_position
earlier(struct segment_position a, struct segment_position b)
{
    return b.offset == 0 || (a.offset != 0 && a.offset <= b.offset) ? a : b;
}

/* Has a source go back to what was passed over for outputs that are not blocked any more. What
 * those passed over that still are it need not read again, but must keep. */
static void
rewind_source(struct outputs *outputs, struct source *source)
{
    struct segment_position to = {0, 0};
    struct segment_position kept = {0, 0};
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = outputs->list[i];
        struct segment_position first = output_passed_over(output, source);
        if (first.offset == 0)
            continue;
        if (output_is_blocked(output)) {
            kept = earlier(kept, first);
            continue;
        }
        to = earlier(to, first);
        output_takes_up(output, source);
    }
    if (to.offset != 0)
        source_rewind(source, to, kept);
}

/* True if the unfinished batch of an output would be written to another file than it began in, and
 * that is the one in which the batch of another output began: what is torn there comes first. */
static bool
must_be_put_off(const struct outputs *outputs, const struct output *output)
{
    if (output_is_syncing(output) || !output_is_displaced(output))
        return false; /* all of its batch is written, or where it began */
    for (size_t i = 0; i < outputs->count; i++) {
        const struct output *other = outputs->list[i];
        if (output_stands_in_the_way_of(other, output) && !output_is_displaced(other))
            return true;
    }
    return false;
}

void
outputs_retry(struct outputs *outputs, struct sources *sources, uint64_t now_ms)
{
    bool unblocked = false;
    if (outputs_retry_in_ms(outputs, now_ms) != 0)
        return;
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = outputs->list[i];
        if (!output_is_blocked(output))
            continue;
        bool put_off = must_be_put_off(outputs, output);
        bool ready = output_retry(output, sources, put_off, now_ms);
        if (!ready && output_lacks_descriptors(output)) {
            outputs_spare_descriptors(outputs);
            ready = output_retry(output, sources, put_off, now_ms);
        }
        unblocked = unblocked || ready;
    }
    for (size_t i = 0; i < sources->count && unblocked; i++)
        rewind_source(outputs, sources->list[i]);
}

void
outputs_recount_skips(const struct outputs *outputs, struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->list[i];
        struct segment_position kept = {0, 0};
        for (size_t k = 0; k < outputs->count; k++)
            kept = earlier(kept, output_passed_over(outputs->list[k], source));
        source_keep(source, kept);
    }
}

uint64_t
outputs_retry_in_ms(const struct outputs *outputs, uint64_t now_ms)
{
    uint64_t soonest = UINT64_MAX;
    for (size_t i = 0; i < outputs->count; i++) {
        uint64_t in_ms = output_retry_in_ms(outputs->list[i], now_ms);
        if (in_ms < soonest)
            soonest = in_ms;
    }
    return soonest;
}

static bool
any_is_unfinished(const struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (output_is_unfinished(outputs->list[i]))
            return true;
    }
    return false;
}

/* True if another output has an unfinished batch in the file that this one writes to. */
static bool
must_wait(const struct outputs *outputs, const struct output *output)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (output_stands_in_the_way_of(outputs->list[i], output))
            return true;
    }
    return false;
}

/* One output after the other, with nothing to wait for. */
static void
deliver_in_turn(struct outputs *outputs, const struct sources *sources, uint64_t now_ms)
{
    bool unfinished = any_is_unfinished(outputs);
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = outputs->list[i];
        if (unfinished && must_wait(outputs, output))
            output_postpone(output, now_ms);
        else if (output_prepare(output, now_ms) && output_begin(output, sources, now_ms))
            unfinished |= !output_deliver(output, sources, now_ms);
        if (output_lacks_descriptors(output))
            outputs_spare_descriptors(outputs);
    }
}

/* ---- with durability "machine": each step of all outputs, and their syncs side by side */

/* True if one before it in the list has begun a batch in the same file: of two that were begun
 * there and left, nobody could tell which one is torn and must be gone on with first. So names of
 * one file take turns: with the other's place in the list the one that waits is first in the next
 * pass. */
static bool
must_take_turns(struct outputs *outputs, size_t at)
{
    struct output *output = outputs->list[at];
    for (size_t i = 0; i < at; i++) {
        if (!output_has_begun(outputs->list[i]) || !output_shares_file(outputs->list[i], output))
            continue;
        outputs->list[at] = outputs->list[i];
        outputs->list[i] = output;
        return true;
    }
    return false;
}

/* Waits for the ledgers whose syncs were begun. */
static void
end_ledger_syncs(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_end_ledger_sync(outputs->list[i]);
}

static void
begin_all(struct outputs *outputs, const struct sources *sources, uint64_t now_ms)
{
    bool unfinished = any_is_unfinished(outputs);
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = outputs->list[i];
        bool waits = unfinished && must_wait(outputs, output);
        if (!waits && !output_prepare(output, now_ms))
            continue;
        if (waits || must_take_turns(outputs, i))
            output_postpone(output, now_ms);
        else if (output_begin(output, sources, now_ms))
            output_begin_ledger_sync(output);
    }
    end_ledger_syncs(outputs);
}

/* An output that could not be ended may be the file of one behind it. */
static void
deliver_all(struct outputs *outputs, const struct sources *sources, uint64_t now_ms)
{
    bool unfinished = any_is_unfinished(outputs);
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = outputs->list[i];
        if (!output_has_begun(output))
            continue;
        if (unfinished && must_wait(outputs, output))
            output_give_up(output, -EAGAIN, now_ms);
        else
            (void)output_deliver(output, sources, now_ms);
        unfinished = unfinished || output_is_unfinished(output);
    }
}

/* Settles what is on the disk within the patience; others are settled by a later pass. */
static void
settle_all(struct outputs *outputs, const struct sources *sources, uint64_t now_ms)
{
    uint64_t until_ms = clock_monotonic_ms() + SYNC_PATIENCE_MS;
    for (size_t i = 0; i < outputs->count; i++) {
        struct output *output = outputs->list[i];
        if (output_is_syncing(output) && !output_is_unfinished(output) &&
            output_settle_delivered(output, sources, until_ms, now_ms))
            output_begin_ledger_sync(output);
    }
    end_ledger_syncs(outputs);
}

static void
deliver_together(struct outputs *outputs, const struct sources *sources, uint64_t now_ms)
{
    begin_all(outputs, sources, now_ms);
    deliver_all(outputs, sources, now_ms);
    settle_all(outputs, sources, now_ms);
    for (size_t i = 0; i < outputs->count; i++) {
        if (output_lacks_descriptors(outputs->list[i]))
            outputs_spare_descriptors(outputs);
    }
}

void
outputs_deliver(struct outputs *outputs, const struct sources *sources, uint64_t now_ms)
{
    if (outputs->durable)
        deliver_together(outputs, sources, now_ms);
    else
        deliver_in_turn(outputs, sources, now_ms);
}

size_t
outputs_refusing(const struct outputs *outputs)
{
    size_t refusing = 0;
    for (size_t i = 0; i < outputs->count; i++)
        refusing +=
            output_is_blocked(outputs->list[i]) && !output_is_syncing(outputs->list[i]) ? 1 : 0;
    return refusing;
}

uint64_t
outputs_oldest_ns(const struct outputs *outputs)
{
    uint64_t oldest_ns = UINT64_MAX;
    for (size_t i = 0; i < outputs->count; i++) {
        if (output_oldest_ns(outputs->list[i]) < oldest_ns)
            oldest_ns = output_oldest_ns(outputs->list[i]);
    }
    return oldest_ns;
}

void
outputs_release(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_release(outputs->list[i]);
}

void
outputs_spare_descriptors(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_spare_descriptors(outputs->list[i]);
}

void
outputs_forget_idle(struct outputs *outputs, const struct sources *sources)
{
    size_t kept = 0;
    for (size_t i = 0; i < outputs->count; i++) {
        if (output_is_forgettable(outputs->list[i], sources))
            output_close(&outputs->list[i], true);
        else
            outputs->list[kept++] = outputs->list[i];
    }
    if (kept == outputs->count)
        return;
    outputs->count = kept;
    output_index_empty(&outputs->index);
    for (size_t i = 0; i < kept; i++)
        INVARIANT(output_index_add(&outputs->index, outputs->list[i]) == 0);
}

void
outputs_clear(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_close(&outputs->list[i], false);
    free(outputs->list);
    output_index_clear(&outputs->index);
    outputs_init(outputs, outputs->heritage, outputs->threads);
}
