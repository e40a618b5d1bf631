/* positions.c -- an array by source, and what a ledger said of segments that were not met yet. Runs
 * in the collector.
 *
 * A segment that cannot be read for a while, or that a listing of the directory has missed, is no
 * source. What the ledger said of it is carried on until the segment is known to be gone, or its
 * records would be delivered again when it comes back.
 */
#include "collector/output/positions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"

/* How often a segment must be missed in a whole directory to be gone. */
#define LOOKS_MIN 2U

struct positions_recovered {
    struct ledger_position position;
    /* How often the directory was seen as a whole without it. */
    uint32_t looks;
    /* Its source is met, perhaps by this output alone: without memory, it is met once more. */
    bool met;
};

int
positions_recover(struct positions *positions, const struct ledger_state *state)
{
    if (state->position_count == 0)
        return 0;
    positions->recovered = calloc(state->position_count, sizeof(*positions->recovered));
    if (positions->recovered == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < state->position_count; i++)
        positions->recovered[i].position = state->positions[i];
    positions->recovered_count = state->position_count;
    return 0;
}

int
positions_note(struct positions *positions, const struct ledger_position *position)
{
    size_t capacity = positions->recovered_count;
    int result = ARRAY_RESERVE(positions->recovered, capacity, positions->recovered_count + 1);
    if (result != 0)
        return result;
    positions->recovered[positions->recovered_count++] =
        (struct positions_recovered){.position = *position};
    return 0;
}

void
positions_take_back_note(struct positions *positions)
{
    INVARIANT(positions->recovered_count > 0);
    positions->recovered_count--;
}

bool
positions_has_note(const struct positions *positions, const struct segment_id *id)
{
    for (size_t i = 0; i < positions->recovered_count; i++) {
        if (memcmp(&positions->recovered[i].position.id, id, sizeof(*id)) == 0)
            return true;
    }
    return false;
}

int
positions_meet(struct positions *positions, const struct source *source)
{
    size_t before = positions->consumed_count;
    size_t room = before;
    int result = ARRAY_RESERVE(positions->listed, positions->listed_count, source->index + 1);
    if (result == 0)
        result = ARRAY_RESERVE(positions->consumed, room, source->index + 1);
    if (result != 0)
        return result;
    positions->consumed_count = room;
    for (size_t i = before; i < room; i++)
        positions->consumed[i] = 0;
    for (size_t i = before; i < positions->listed_count; i++)
        positions->listed[i] = false;
    positions->consumed[source->index] = 0;
    for (size_t i = 0; i < positions->recovered_count; i++) {
        struct positions_recovered *recovered = &positions->recovered[i];
        if (memcmp(&recovered->position.id, &source->facts.id, sizeof(source->facts.id)) != 0)
            continue;
        positions->consumed[source->index] = recovered->position.before;
        recovered->met = true;
    }
    return 0;
}

/* A segment that has a name is there, whatever else is wrong with it. Of one without a known name
 * nothing can be said but that it was not among all that there are. Either must be seen twice:
 * somebody may have taken the name away for a moment. */
static bool
is_gone(struct positions_recovered *recovered, const struct sources *sources)
{
    const struct segment_identity *identity = &recovered->position.identity;
    bool missed = identity->slot == LEDGER_SLOT_UNKNOWN ? sources->unreadable == 0
                                                        : sources_is_gone(sources, identity);
    if (missed)
        recovered->looks++;
    else if (identity->slot != LEDGER_SLOT_UNKNOWN)
        recovered->looks = 0;
    return recovered->looks >= LOOKS_MIN;
}

void
positions_forget_gone(struct positions *positions, const struct sources *sources)
{
    size_t kept = 0;
    for (size_t i = 0; i < positions->recovered_count; i++) {
        if (!positions->recovered[i].met && !is_gone(&positions->recovered[i], sources))
            positions->recovered[kept++] = positions->recovered[i];
    }
    positions->recovered_count = kept;
}

void
positions_forget(struct positions *positions, size_t index)
{
    if (index < positions->consumed_count)
        positions->consumed[index] = 0;
}

uint64_t
positions_get(const struct positions *positions, const struct source *source)
{
    INVARIANT(source->index < positions->consumed_count);
    return positions->consumed[source->index];
}

void
positions_set(struct positions *positions, const struct source *source, uint64_t offset)
{
    INVARIANT(source->index < positions->consumed_count);
    INVARIANT(offset >= positions->consumed[source->index]);
    positions->consumed[source->index] = offset;
}

bool
positions_matter(const struct positions *positions, const struct sources *sources)
{
    if (sources->unreadable > 0 || positions->recovered_count > 0)
        return true;
    for (size_t i = 0; i < sources->count; i++) {
        if (positions_get(positions, sources->list[i]) > 0)
            return true;
    }
    return false;
}

/* Adds the positions of a batch, in its order. */
static size_t
add_batch(struct positions *positions, const struct batch *batch, bool settled)
{
    for (size_t i = 0; i < batch->run_count; i++) {
        const struct source *source = batch->runs[i].source;
        uint64_t end = batch->runs[i].end_offset;
        positions->list[i] = (struct ledger_position){
            .id = source->facts.id,
            .identity = source->facts.identity,
            .before = settled ? end : positions_get(positions, source),
            .after = end,
        };
        positions->listed[source->index] = true;
    }
    return batch->run_count;
}

/* Forgets which sources are in the list. */
static void
clear_listed(struct positions *positions, const struct batch *batch)
{
    for (size_t i = 0; i < batch->run_count; i++)
        positions->listed[batch->runs[i].source->index] = false;
}

ssize_t
positions_list_batch(struct positions *positions, const struct batch *batch,
                     const struct ledger_position **list_r)
{
    if (ARRAY_RESERVE(positions->list, positions->list_capacity, batch->run_count) != 0)
        return -ENOMEM;
    size_t count = add_batch(positions, batch, false);
    clear_listed(positions, batch);
    *list_r = positions->list;
    return (ssize_t)count;
}

ssize_t
positions_list(struct positions *positions, const struct sources *sources,
               const struct batch *batch, bool settled, const struct ledger_position **list_r)
{
    size_t room = batch->run_count + sources->count + positions->recovered_count;
    if (ARRAY_RESERVE(positions->list, positions->list_capacity, room) != 0)
        return -ENOMEM;
    size_t count = add_batch(positions, batch, settled);
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = sources->list[i];
        uint64_t consumed = positions_get(positions, source);
        if (consumed > 0 && !positions->listed[source->index])
            positions->list[count++] = (struct ledger_position){
                source->facts.id, source->facts.identity, consumed, consumed};
    }
    clear_listed(positions, batch);
    for (size_t i = 0; i < positions->recovered_count; i++) {
        if (!positions->recovered[i].met)
            positions->list[count++] = positions->recovered[i].position;
    }
    INVARIANT(count <= room);
    *list_r = positions->list;
    return (ssize_t)count;
}

void
positions_clear(struct positions *positions)
{
    free(positions->consumed);
    free(positions->listed);
    free(positions->recovered);
    free(positions->list);
    *positions = (struct positions){0};
}
