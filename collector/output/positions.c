/* positions.c -- an array by source, and what a ledger said of segments that were not met yet. Runs
 * in the collector.
 *
 * A segment that cannot be read for a while (sources->unreadable) is no source; what the ledger
 * said of it is carried on, or its records would be delivered again when it comes back.
 */
#include "collector/output/positions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"

struct positions_recovered {
    struct ledger_position position;
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
positions_meet(struct positions *positions, const struct source *source)
{
    size_t before = positions->consumed_count;
    int result = ARRAY_RESERVE(positions->consumed, positions->consumed_count, source->index + 1);
    if (result != 0)
        return result;
    for (size_t i = before; i < positions->consumed_count; i++)
        positions->consumed[i] = 0;
    positions->consumed[source->index] = 0;
    for (size_t i = 0; i < positions->recovered_count; i++) {
        struct positions_recovered *recovered = &positions->recovered[i];
        if (memcmp(&recovered->position.id, &source->facts.id, sizeof(source->facts.id)) == 0) {
            positions->consumed[source->index] = recovered->position.offset;
            recovered->met = true;
        }
    }
    return 0;
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
    INVARIANT(offset > positions->consumed[source->index]);
    positions->consumed[source->index] = offset;
}

bool
positions_matter(const struct positions *positions, const struct sources *sources)
{
    if (sources->unreadable > 0)
        return true;
    for (size_t i = 0; i < sources->count; i++) {
        if (positions_get(positions, sources->list[i]) > 0)
            return true;
    }
    return false;
}

ssize_t
positions_list(struct positions *positions, const struct sources *sources,
               const struct ledger_position **list_r)
{
    int result = ARRAY_RESERVE(positions->list, positions->list_capacity,
                               sources->count + positions->recovered_count);
    if (result != 0)
        return result;
    size_t count = 0;
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = sources->list[i];
        uint64_t consumed = positions_get(positions, source);
        if (consumed > 0)
            positions->list[count++] = (struct ledger_position){source->facts.id, consumed};
    }
    for (size_t i = 0; i < positions->recovered_count && sources->unreadable > 0; i++) {
        if (!positions->recovered[i].met)
            positions->list[count++] = positions->recovered[i].position;
    }
    *list_r = positions->list;
    return (ssize_t)count;
}

void
positions_clear(struct positions *positions)
{
    free(positions->consumed);
    free(positions->recovered);
    free(positions->list);
    *positions = (struct positions){0};
}
