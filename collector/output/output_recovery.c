/* output_recovery.c -- a start takes up what an earlier collector left. Runs in the collector.
 *
 * Each ledger in the segment directory becomes an output with the positions that it tells of. Where
 * it holds an intent, that collector died in a batch, of which any part may stand in the output:
 * before anything is written anywhere, that part is taken back and the ledger settled. The batch
 * comes again by itself, since its records are not consumed.
 *
 * Crash contract: a kill in here repeats and skips nothing. The intent stands until the part is
 * gone, and to take back a part that is gone changes nothing.
 */
#include <dirent.h>
#include <errno.h>

#include "base/crash_point.h"
#include "base/directory.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/output/output_private.h"
#include "collector/output/outputs.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "segment/segment_store.h"

/* ---- one output */

/* Makes the output that a ledger file tells of. Returns 0, a negative errno, or -EBADMSG if the
 * ledger is damaged. */
static int
recover_output(struct output **out, const struct heritage *heritage, const char *ledger_name)
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

int
output_take_back(struct output *output)
{
    if (output->unfinished.length == 0)
        return 0;
    INVARIANT(output->ledger != NULL);
    int result = output->operations->undo(output->destination, &output->unfinished);
    if (result != 0)
        return result;
    output_sync_destination(output);
    crash_point("output.undone");
    /* On the disk too: another name of the same file may be written to before this ledger is, and
     * the next collector would take that for the batch. */
    result = ledger_settle(output->ledger);
    if (result == -EBADMSG)
        output_start_afresh(output, "a ledger was damaged by somebody else; starting afresh",
                            result);
    if (result != 0)
        return result;
    if (output_is_durable(output))
        ledger_sync(output->ledger);
    crash_point("output.undo_noted");
    output->unfinished.length = 0;
    return 0;
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

/* ---- all of them */

/* Sets a ledger aside that says nothing. Its output's records in the segments that are left come
 * again, and may stand twice. */
static void
quarantine_ledger(const struct heritage *heritage, const char *name)
{
    log_write(LOG_LEVEL_ERROR,
              "a damaged ledger is set aside in " SEGMENT_DIRECTORY_QUARANTINE
              "/; records that are still in segments may be written twice",
              LOG_FIELDS(log_string("ledger", name)));
    tally_add(&heritage->scoreboard->collector.quarantined, 1);
    int result = segment_store_quarantine(heritage->fds[HERITAGE_FD_SEGMENTS], name);
    if (result != 0)
        log_write(LOG_LEVEL_ERROR, "cannot set a damaged ledger aside",
                  LOG_FIELDS(log_string("ledger", name), log_error(result)));
}

/* Makes an output of a ledger, or sets the ledger aside, or leaves it: one that cannot be read now
 * keeps its own output waiting (output_ledger.c, make_ledger()). Only a lack of memory or
 * descriptors is an error. */
static int
recover_ledger(struct outputs *outputs, const char *ledger_name)
{
    struct output *output = NULL;
    int result = recover_output(&output, outputs->heritage, ledger_name);
    if (result == 0)
        result = outputs_add(outputs, output);
    if (result == 0)
        return 0;
    output_close(&output, false);
    if (result == -EBADMSG || result == -EPROTO || result == -EISDIR || result == -ELOOP ||
        result == -ENXIO) {
        quarantine_ledger(outputs->heritage, ledger_name);
        return 0;
    }
    if (result == -ENOMEM || result == -EMFILE || result == -ENFILE)
        return result;
    log_write(LOG_LEVEL_ERROR, "cannot read a ledger; its output waits",
              LOG_FIELDS(log_string("ledger", ledger_name), log_error(result)));
    return 0;
}

/* Makes an output of an entry of the segment directory, if it is a ledger. */
static int
visit_entry(void *context, const struct dirent *entry)
{
    return ledger_name_is(entry->d_name) ? recover_ledger(context, entry->d_name) : 0;
}

int
outputs_recover(struct outputs *outputs, uint64_t now_ms)
{
    int result =
        directory_read(outputs->heritage->fds[HERITAGE_FD_SEGMENTS], ".", visit_entry, outputs);
    if (result != 0)
        return result;
    /* All of them before anything is written: two outputs may be two names of one file. */
    for (size_t i = 0; i < outputs->count; i++) {
        result = output_take_back(outputs->list[i]);
        if (result != 0)
            output_block(outputs->list[i], result, now_ms);
    }
    return 0;
}
