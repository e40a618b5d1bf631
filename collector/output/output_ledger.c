/* output_ledger.c -- who an output is, its ledger, and what is noted there of how far it is.
 * Runs in the collector. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "collector/output/output_private.h"
#include "common/heritage.h"

bool
output_is(const struct output *output, enum segment_kind kind, struct bytes name)
{
    return output->kind == kind &&
           bytes_equal((struct bytes){output->name, output->name_bytes}, name);
}

const char *
output_log_name(const struct output *output)
{
    return output->kind == SEGMENT_STANDARD_OUTPUT ? "standard output" : output->name;
}

_Noreturn void
output_start_afresh(const struct output *output, const char *why, int error)
{
    log_write(LOG_LEVEL_ERROR, why,
              LOG_FIELDS(log_string("output", output->name), log_error(error)));
    exit(EXIT_FAILURE);
}

void
output_sync_destination(const struct output *output)
{
    int result = output->durable ? output->operations->sync(output->destination) : 0;
    if (result != 0)
        output_start_afresh(output, "an output cannot be synced", result);
}

int
output_write_ledger(struct output *output, const struct sources *sources,
                    const struct ledger_mark *mark, const struct batch *batch)
{
    const struct ledger_position *list = NULL;
    ssize_t count = positions_list(&output->positions, sources, batch, mark->length == 0, &list);
    int result = count < 0 ? (int)count : ledger_write(output->ledger, mark, list, (size_t)count);
    if (result == -ENOENT || result == -ESTALE)
        output_start_afresh(output, "a ledger was removed or replaced; starting afresh", result);
    return result;
}

void
output_sync_ledger(const struct output *output)
{
    if (output->durable)
        ledger_sync(output->ledger);
}

/* Makes the ledger of an output that was not recovered. One that is there all the same could not be
 * read at the start: what it says must not be ignored now that it can. */
static int
make_ledger(struct output *output)
{
    bool created;
    int result =
        ledger_open(&output->ledger, output->heritage->fds[HERITAGE_FD_SEGMENTS], output->kind,
                    (struct bytes){output->name, output->name_bytes}, output->durable, &created);
    if (result == 0 && !created)
        output_start_afresh(output, "a ledger can be read again; starting afresh", 0);
    return result;
}

int
output_have_ledger(struct output *output)
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
              LOG_FIELDS(log_string("output", output_log_name(output))));
    ledger_close(&removed);
    return 0;
}

int
output_settle(struct output *output, const struct sources *sources, const struct batch *batch,
              const struct ledger_mark *mark)
{
    struct ledger_mark settled = *mark;
    settled.length = 0;
    int result = output_write_ledger(output, sources, &settled, batch);
    if (result != 0)
        return result;
    for (size_t i = 0; i < batch->run_count; i++)
        positions_set(&output->positions, batch->runs[i].source, batch->runs[i].end_offset);
    return 0;
}
