/* output.c -- queues and delivers the records of one output. Runs in the collector; output.h has
 * the crash contract, output_deliver() keeps it. */
#include "collector/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/destination.h"
#include "common/heritage.h"
#include "common/invariant.h"
#include "common/log.h"

#define RETRY_MS_MIN 20
#define RETRY_MS_MAX 1000

/* Where a queued record came from. */
struct queued {
    struct source *source;
    struct segment_position at;
    uint64_t end_offset;
};

struct output {
    const struct heritage *heritage;
    const struct destination_kind *ways;
    struct destination *destination;
    struct ledger *ledger; /* NULL until something is to be delivered */
    struct ledger_mark
        unfinished; /* length > 0: a batch of an earlier collector that is still to be undone */
    enum segment_kind kind;
    char *name; /* NUL-terminated */
    size_t name_bytes;
    uint64_t delivered_bytes;

    uint64_t *consumed; /* by index of source: every record of ours before that offset is delivered;
                           0 = none */
    size_t consumed_count;
    struct ledger_position *recovered; /* what the ledger said at start */
    size_t recovered_count;
    struct ledger_position *positions; /* room to write the ledger from */
    size_t positions_capacity;

    struct queued *queue;
    struct iovec *payloads; /* as many */
    size_t queue_count;
    size_t queue_capacity;

    bool blocked;
    uint64_t retry_ms; /* the present back-off */
    uint64_t retry_at_ms;
    struct log_brake brake;
};

int
output_open(struct output **out, const struct heritage *heritage, enum segment_kind kind,
            struct bytes name)
{
    const struct destination_kind *ways = destination_kind_find(kind);
    if (ways == NULL)
        return -EPROTO;
    struct output *output = calloc(1, sizeof(*output));
    if (output == NULL)
        return -ENOMEM;
    output->heritage = heritage;
    output->ways = ways;
    output->kind = kind;
    output->name_bytes = name.size;
    output->name = strndup(name.size > 0 ? name.data : "", name.size);
    int result =
        output->name == NULL ? -ENOMEM : ways->open(&output->destination, heritage, output->name);
    if (result != 0) {
        output_close(&output, false);
        return result;
    }
    *out = output;
    return 0;
}

/* Keeps what the ledger said, for the batch to undo and for the sources to be met. */
static int
keep_state(struct output *output, const struct ledger_state *state)
{
    output->unfinished = state->mark;
    if (state->position_count == 0)
        return 0;
    output->recovered = calloc(state->position_count, sizeof(*output->recovered));
    if (output->recovered == NULL)
        return -ENOMEM;
    memcpy(output->recovered, state->positions, state->position_count * sizeof(*state->positions));
    output->recovered_count = state->position_count;
    return 0;
}

int
output_recover(struct output **out, const struct heritage *heritage, const char *ledger_name)
{
    struct ledger *ledger = NULL;
    struct ledger_state state;
    int result = ledger_open_existing(&ledger, heritage->segments_fd, ledger_name, &state);
    if (result != 0)
        return result;
    struct output *output = NULL;
    result = output_open(&output, heritage, state.kind, state.name);
    if (result == 0)
        result = keep_state(output, &state);
    if (result != 0) {
        output_close(&output, false);
        ledger_close(&ledger);
        return result;
    }
    output->ledger = ledger;
    *out = output;
    return 0;
}

bool
output_is(const struct output *output, enum segment_kind kind, struct bytes name)
{
    return output->kind == kind &&
           bytes_equal((struct bytes){output->name, output->name_bytes}, name);
}

int
output_meet_source(struct output *output, const struct source *source)
{
    if (source->index >= output->consumed_count) {
        size_t larger = (source->index + 1) * 2;
        uint64_t *grown = realloc(output->consumed, larger * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        memset(grown + output->consumed_count, 0,
               (larger - output->consumed_count) * sizeof(*grown));
        output->consumed = grown;
        output->consumed_count = larger;
    }
    output->consumed[source->index] = 0;
    for (size_t i = 0; i < output->recovered_count; i++) {
        if (memcmp(&output->recovered[i].id, &source->facts.id, sizeof(source->facts.id)) == 0)
            output->consumed[source->index] = output->recovered[i].offset;
    }
    return 0;
}

void
output_forget_source(struct output *output, size_t index)
{
    if (index < output->consumed_count)
        output->consumed[index] = 0;
}

bool
output_has_consumed(const struct output *output, const struct source *source, uint64_t offset)
{
    INVARIANT(source->index < output->consumed_count);
    return offset < output->consumed[source->index];
}

bool
output_is_blocked(const struct output *output)
{
    return output->blocked;
}

uint64_t
output_retry_in_ms(const struct output *output, uint64_t now_ms)
{
    if (!output->blocked)
        return UINT64_MAX;
    return output->retry_at_ms > now_ms ? output->retry_at_ms - now_ms : 0;
}

void
output_unblock(struct output *output)
{
    output->blocked = false;
}

int
output_queue(struct output *output, struct source *source, struct segment_position at,
             uint64_t end_offset, struct bytes payload)
{
    if (output->queue_count == output->queue_capacity) {
        size_t larger = output->queue_capacity == 0 ? 256 : output->queue_capacity * 2;
        struct queued *queue = realloc(output->queue, larger * sizeof(*queue));
        if (queue == NULL)
            return -ENOMEM;
        output->queue = queue;
        struct iovec *payloads = realloc(output->payloads, larger * sizeof(*payloads));
        if (payloads == NULL)
            return -ENOMEM;
        output->payloads = payloads;
        output->queue_capacity = larger;
    }
    output->queue[output->queue_count] = (struct queued){source, at, end_offset};
    output->payloads[output->queue_count] =
        (struct iovec){bytes_unconst(payload.data), payload.size};
    output->queue_count++;
    return 0;
}

/* Writes the ledger: the mark, and what is consumed of each source that is still there. */
static int
write_ledger(struct output *output, const struct sources *sources, const struct ledger_mark *mark)
{
    if (sources->count > output->positions_capacity) {
        size_t larger = sources->count * 2;
        struct ledger_position *grown = realloc(output->positions, larger * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        output->positions = grown;
        output->positions_capacity = larger;
    }
    size_t count = 0;
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = sources->list[i];
        INVARIANT(source->index < output->consumed_count);
        uint64_t consumed = output->consumed[source->index];
        if (consumed > 0)
            output->positions[count++] = (struct ledger_position){source->facts.id, consumed};
    }
    return ledger_write(output->ledger, mark, output->positions, count);
}

/* Undoes what an earlier collector left unfinished, then gets ready and writes the intent. On error
 * nothing has been delivered. */
static int
begin_batch(struct output *output, const struct sources *sources, struct ledger_mark *mark)
{
    int result = 0;
    if (output->ledger == NULL)
        result = ledger_open(&output->ledger, output->heritage->segments_fd, output->kind,
                             (struct bytes){output->name, output->name_bytes});
    if (result == 0 && output->unfinished.length > 0)
        result = output->ways->undo(output->destination, &output->unfinished);
    if (result != 0)
        return result;
    output->unfinished.length = 0;
    result = output->ways->prepare(output->destination, mark);
    if (result != 0)
        return result;
    mark->length = 0;
    for (size_t i = 0; i < output->queue_count; i++)
        mark->length += output->payloads[i].iov_len;
    return write_ledger(output, sources, mark);
}

/* Notes the first `count` queued records as consumed. */
static void
consume(struct output *output, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct queued *queued = &output->queue[i];
        output->consumed[queued->source->index] = queued->end_offset;
    }
}

static void
block(struct output *output, int error, uint64_t now_ms)
{
    uint64_t suppressed;
    output->retry_ms = output->retry_ms == 0 ? RETRY_MS_MIN : output->retry_ms * 2;
    if (output->retry_ms > RETRY_MS_MAX)
        output->retry_ms = RETRY_MS_MAX;
    output->retry_at_ms = now_ms + output->retry_ms;
    output->blocked = true;
    /* A slow reader of standard output is no error; anything that lasts is. */
    if (error != -EAGAIN && log_allowed(&output->brake, now_ms, 10000, &suppressed))
        log_write(LOG_LEVEL_ERROR, "cannot write an output; its records are kept and tried again",
                  LOG_FIELDS(log_string("output", output->kind == SEGMENT_STANDARD_OUTPUT
                                                      ? "standard output"
                                                      : output->name),
                             log_error(error), log_u64("suppressed", suppressed)));
}

static void
unblocked(struct output *output)
{
    if (output->brake.next_ms != 0)
        log_write(LOG_LEVEL_INFO, "the output can be written again",
                  LOG_FIELDS(log_string("output", output->kind == SEGMENT_STANDARD_OUTPUT
                                                      ? "standard output"
                                                      : output->name)));
    output->retry_ms = 0;
    output->brake = (struct log_brake){0};
}

size_t
output_deliver(struct output *output, const struct sources *sources, uint64_t now_ms)
{
    if (output->queue_count == 0)
        return 0;
    struct ledger_mark mark;
    size_t delivered = 0;
    int error = begin_batch(output, sources, &mark);
    if (error == 0) {
        delivered = output->ways->deliver(output->destination, output->payloads,
                                          output->queue_count, &error);
        INVARIANT(delivered == output->queue_count || error != 0);
        for (size_t i = 0; i < delivered; i++)
            output->delivered_bytes += output->payloads[i].iov_len;
        consume(output, delivered);
        mark.length = 0;
        int settled = write_ledger(output, sources, &mark);
        if (settled != 0 && delivered > 0) {
            /* The bytes are out and the ledger does not know: only a new collector, which takes
             * them back by the ledger's last intent, can go on without writing them twice. */
            log_write(LOG_LEVEL_ERROR, "cannot write a ledger", LOG_FIELDS(log_error(settled)));
            exit(EXIT_FAILURE);
        }
    }
    for (size_t i = delivered; i < output->queue_count; i++)
        source_skip(output->queue[i].source, output->queue[i].at);
    output->queue_count = 0;
    if (error != 0)
        block(output, error, now_ms);
    else
        unblocked(output);
    return delivered;
}

uint64_t
output_delivered_bytes(const struct output *output)
{
    return output->delivered_bytes;
}

void
output_rest(struct output *output)
{
    output->ways->rest(output->destination);
}

bool
output_is_forgettable(const struct output *output, const struct sources *sources)
{
    if (output->blocked || output->unfinished.length > 0)
        return false;
    for (size_t i = 0; i < sources->count; i++) {
        if (output->consumed[sources->list[i]->index] > 0)
            return false;
    }
    return true;
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
        output->ways->close(&output->destination);
    free(output->name);
    free(output->consumed);
    free(output->recovered);
    free(output->positions);
    free(output->queue);
    free(output->payloads);
    free(output);
}
