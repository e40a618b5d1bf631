/* outputs_recovery.c -- makes an output of every ledger that an earlier collector left in the
 * segment directory, and sets ledgers aside that say nothing. What is unfinished in them,
 * output_recovery.c takes up. Runs in the collector. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "collector/destination/output_note.h"
#include "collector/output/output_private.h"
#include "collector/output/outputs.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "segment/segment_store.h"

/* Whether a ledger file has the name that its output's ledger has. A copy under another name would
 * be a second ledger of the output, which knows of no batch that comes later. */
static bool
is_named_after_output(const char *ledger_name, const struct ledger_state *state)
{
    char name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(name, state->kind, state->name);
    return strcmp(name, ledger_name) == 0;
}

/* Makes the output that a ledger file tells of. Returns 0, a negative errno, -EBADMSG if the ledger
 * is damaged, or -EEXIST if it has the name of another one. */
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
    if (!is_named_after_output(ledger_name, &state))
        result = -EEXIST;
    if (result == 0)
        result = output_open(&output, heritage, state.kind, state.name);
    if (result == 0)
        result = positions_recover(&output->positions, &state);
    if (result == 0)
        result = output_keep_runs(output, state.positions, state.position_count);
    if (result != 0) {
        output_close(&output, false);
        ledger_close(&ledger);
        return result;
    }
    output->ledger = ledger;
    output->phase = OUTPUT_RECOVERED;
    output->mark = state.mark;
    output->batch_unknown = state.batch_unknown;
    *out = output;
    return 0;
}

/* Sets a ledger aside that says nothing. Its output's records in the segments that are left come
 * again, and may stand twice. */
static void
quarantine_ledger(const struct heritage *heritage, const char *name, const char *reason)
{
    log_write(LOG_LEVEL_ERROR,
              "a damaged ledger is set aside in " SEGMENT_DIRECTORY_QUARANTINE
              "/; records that are still in segments may be written twice",
              LOG_FIELDS(log_string("ledger", name), log_string("reason", reason)));
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
    if (result == -EMFILE || result == -ENFILE) {
        outputs_spare_descriptors(outputs);
        result = recover_output(&output, outputs->heritage, ledger_name);
    }
    if (result == 0)
        result = outputs_add(outputs, output);
    if (result == 0)
        return 0;
    output_close(&output, false);
    if (result == -EBADMSG || result == -EPROTO || result == -EISDIR || result == -ELOOP ||
        result == -ENXIO || result == -EEXIST) {
        quarantine_ledger(outputs->heritage, ledger_name,
                          result == -EEXIST ? "its name is that of another output's ledger"
                                            : "it cannot be understood");
        return 0;
    }
    if (result == -ENOMEM || result == -EMFILE || result == -ENFILE)
        return result;
    log_write(LOG_LEVEL_ERROR, "cannot read a ledger; its output waits",
              LOG_FIELDS(log_string("ledger", ledger_name), log_error(result)));
    return 0;
}

/* Makes an output of an entry of the segment directory, if it is a ledger; removes a note that
 * nobody needs any more. */
static int
visit_entry(void *context, const struct dirent *entry)
{
    const struct outputs *outputs = context;
    if (output_note_name_is(entry->d_name))
        output_note_tidy(outputs->heritage, entry->d_name,
                         (int64_t)(clock_realtime_ns() / 1000000000));
    return ledger_name_is(entry->d_name) ? recover_ledger(context, entry->d_name) : 0;
}

int
outputs_recover(struct outputs *outputs)
{
    return directory_read(outputs->heritage->fds[HERITAGE_FD_SEGMENTS], ".", visit_entry, outputs);
}
