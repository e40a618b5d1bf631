/* batch_guess.c -- follows the bytes behind a mark through the segments. Runs in the collector, at
 * recovery. */
#include "collector/output/batch_guess.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "collector/input/replay.h"
#include "collector/input/sources.h"
#include "collector/output/output_private.h"

/* What replay_read() returns when a record does not stand where it should. */
#define ELSEWHERE 1

struct guess {
    const struct output *output;
    const char *tail;
    size_t tail_size;
    /* How much of it has been found in segments. */
    size_t found;
    struct ledger_position run;
};

/* Follows one record, if it stands next in the tail or begins at its end. */
static int
take_record(void *context, const struct segment_record *record, struct segment_position at,
            uint64_t end_offset)
{
    struct guess *guess = context;
    if (at.offset < guess->run.before || !output_is(guess->output, record->kind, record->name))
        return 0;
    size_t left = guess->tail_size - guess->found;
    size_t size = record->payload.size < left ? record->payload.size : left;
    if (size == 0 || memcmp(guess->tail + guess->found, record->payload.data, size) != 0)
        return ELSEWHERE;
    guess->found += size;
    guess->run.after = end_offset;
    return size < record->payload.size ? ELSEWHERE : 0;
}

/* Follows the records of one source. Returns 0 or a negative errno. */
static int
follow_source(struct guess *guess, struct sources *sources, const struct source *source,
              struct output *output)
{
    uint64_t consumed = positions_get(&output->positions, source);
    guess->run =
        (struct ledger_position){source->facts.id, source->facts.identity, consumed, consumed};
    int result = replay_read(&sources->means, source, UINT64_MAX, take_record, guess);
    if (result < 0 && result != -ENODATA)
        return result;
    if (guess->run.after == guess->run.before)
        return 0;
    result = ARRAY_RESERVE(output->runs, output->run_capacity, output->run_count + 1);
    if (result == 0)
        output->runs[output->run_count++] = guess->run;
    return result;
}

static bool
was_followed(const struct output *output, const struct source *source)
{
    for (size_t i = 0; i < output->run_count; i++) {
        if (memcmp(&output->runs[i].id, &source->facts.id, sizeof(source->facts.id)) == 0)
            return true;
    }
    return false;
}

/* In a batch each source's records were one behind the other, the sources in any order. */
static int
follow_sources(struct guess *guess, struct sources *sources, struct output *output)
{
    size_t before;
    do {
        before = guess->found;
        for (size_t i = 0; i < sources->count && guess->found < guess->tail_size; i++) {
            if (was_followed(output, sources->list[i]))
                continue;
            int result = follow_source(guess, sources, sources->list[i], output);
            if (result != 0)
                return result;
        }
    } while (guess->found > before);
    /* What is left may be of a segment that cannot be read now. */
    return guess->found < guess->tail_size && sources->unreadable > 0 ? -EAGAIN : 0;
}

int
batch_guess(struct output *output, struct sources *sources)
{
    struct guess guess = {.output = output};
    char *tail = malloc(output->mark.length);
    if (tail == NULL)
        return -ENOMEM;
    ssize_t size = output->operations->peek(output->destination, &output->mark, tail);
    output->run_count = 0;
    guess.tail = tail;
    guess.tail_size = size < 0 ? 0 : (size_t)size;
    int result = size < 0 ? (int)size : follow_sources(&guess, sources, output);
    free(tail);
    if (result == 0)
        output->batch_unknown = false;
    return result;
}
