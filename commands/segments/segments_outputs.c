/* segments_outputs.c -- a sorted list of outputs, found by bisection. Runs in the process of
 * `mygrpcadapter segments`. */
#include "commands/segments/segments_outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static int
compare_output(const struct segments_output *output, enum segment_kind kind, struct bytes name)
{
    if (output->kind != kind)
        return output->kind < kind ? -1 : 1;
    size_t common = output->name_bytes < name.size ? output->name_bytes : name.size;
    int order = common == 0 ? 0 : memcmp(output->name, name.data, common);
    if (order != 0)
        return order;
    return (output->name_bytes > name.size) - (output->name_bytes < name.size);
}

/* Where the output stands in the list, or would: the first that is not before it. */
static size_t
find_place(const struct segments_outputs *outputs, enum segment_kind kind, struct bytes name)
{
    size_t low = 0;
    size_t high = outputs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_output(outputs->list[middle], kind, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct segments_output *
make_output(enum segment_kind kind, struct bytes name)
{
    struct segments_output *output = calloc(1, sizeof(*output));
    char *copy = malloc(name.size + 1);
    if (output == NULL || copy == NULL) {
        free(output);
        free(copy);
        return NULL;
    }
    if (name.size > 0)
        memcpy(copy, name.data, name.size);
    output->kind = kind;
    output->name = copy;
    output->name_bytes = name.size;
    return output;
}

/* The output of that name, made if it is new. NULL without memory. */
static struct segments_output *
find_or_add(struct segments_outputs *outputs, enum segment_kind kind, struct bytes name)
{
    size_t place = find_place(outputs, kind, name);
    if (place < outputs->count && compare_output(outputs->list[place], kind, name) == 0)
        return outputs->list[place];
    if (ARRAY_RESERVE(outputs->list, outputs->capacity, outputs->count + 1) != 0)
        return NULL;
    struct segments_output *output = make_output(kind, name);
    if (output == NULL)
        return NULL;
    struct segments_output **at = outputs->list + place;
    memmove(at + 1, at, (outputs->count - place) * sizeof(struct segments_output *));
    *at = output;
    outputs->count++;
    return output;
}

static int
compare_positions(const void *a, const void *b)
{
    const struct ledger_position *left = a;
    const struct ledger_position *right = b;
    return memcmp(&left->id, &right->id, sizeof(left->id));
}

/* The same with a position that is known by its id alone. */
static int
compare_id(const void *id, const void *element)
{
    const struct ledger_position *position = element;
    return memcmp(id, &position->id, sizeof(position->id));
}

int
segments_outputs_add_ledger(struct segments_outputs *outputs, const struct ledger_state *state)
{
    struct segments_output *output = find_or_add(outputs, state->kind, state->name);
    if (output == NULL)
        return -ENOMEM;
    if (output->has_ledger)
        return -EEXIST;
    if (state->position_count > 0) {
        output->positions = calloc(state->position_count, sizeof(*output->positions));
        if (output->positions == NULL)
            return -ENOMEM;
        memcpy(output->positions, state->positions,
               state->position_count * sizeof(*output->positions));
        qsort(output->positions, state->position_count, sizeof(*output->positions),
              compare_positions);
    }
    output->position_count = state->position_count;
    output->mark = state->mark;
    output->has_ledger = true;
    return 0;
}

void
segments_outputs_enter_segment(struct segments_outputs *outputs, const struct segment_id *id)
{
    for (size_t i = 0; i < outputs->count; i++) {
        struct segments_output *output = outputs->list[i];
        const struct ledger_position *found =
            output->position_count == 0 ? NULL
                                        : bsearch(id, output->positions, output->position_count,
                                                  sizeof(*output->positions), compare_id);
        output->consumed_to = found == NULL ? 0 : found->before;
    }
}

int
segments_outputs_add_record(struct segments_outputs *outputs, const struct segment_record *record,
                            uint64_t offset, bool *consumed_r)
{
    struct segments_output *output = find_or_add(outputs, record->kind, record->name);
    if (output == NULL)
        return -ENOMEM;
    *consumed_r = offset < output->consumed_to;
    if (!*consumed_r) {
        output->waiting_records++;
        output->waiting_bytes += record->payload.size;
    }
    return 0;
}

const struct segments_output *
segments_outputs_find_aside(struct segments_outputs *outputs, const struct segment_record *record)
{
    return find_or_add(outputs, record->kind, record->name);
}

void
segments_outputs_close(struct segments_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        free(outputs->list[i]->name);
        free(outputs->list[i]->positions);
        free(outputs->list[i]);
    }
    free(outputs->list);
    *outputs = (struct segments_outputs){.list = NULL};
}
