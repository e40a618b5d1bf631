/* output.h -- one output: its destination, its ledger, and the records waiting for it.
 *
 * Delivering a batch takes three steps, and a kill between any two of them repeats or skips
 * nothing:
 *   1. intent: the ledger notes the output's size, the batch's length, and how far each segment is
 *      consumed;
 *   2. the records are delivered;
 *   3. settled: the ledger notes how far each segment is consumed now.
 * A batch that was not settled, since a collector died in it or the volume was full, is gone on
 * with before anything else is delivered (output_recovery.c): it is read again, compared with what
 * stands, and what is missing is written. Two outputs are two ledgers. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/output/batch.h"
#include "segment/aside_store.h"

struct heritage;
struct output;
struct sources;
struct sync_threads;

/* Makes the output of that kind and name, with nothing consumed. Its ledger is made when it first
 * has something to deliver. Returns 0 or a negative errno; -EPROTO: there is no such kind of
 * destination. */
int output_open(struct output **out, const struct heritage *heritage, enum segment_kind kind,
                struct bytes name);

/* True if its ledger is still to be made durable, or a batch to be gone on with: an earlier
 * collector's, or our own. */
bool output_is_unfinished(const struct output *output);

/* True if what its ledger says has been made durable: before that no segment may be removed. */
bool output_is_secured(const struct output *output);

/* True if `other` is to write to the very file that this output has an unfinished batch in: it must
 * wait until that is completed. So it must if it cannot be told now where it is to write. */
bool output_stands_in_the_way_of(const struct output *output, const struct output *other);

/* A hash of an output's kind and name, and that of an output: for the index. */
uint64_t output_name_hash(enum segment_kind kind, struct bytes name);
uint64_t output_hash(const struct output *output);

/* Whether it is the output of that kind and name. */
bool output_is(const struct output *output, enum segment_kind kind, struct bytes name);

/* Tells the output of a new source: looks up how far the ledger it recovered from had consumed that
 * segment. Returns 0 or -ENOMEM. */
int output_meet_source(struct output *output, const struct source *source);

/* The source with that index has been retired. */
void output_forget_source(struct output *output, size_t index);

/* True if the record of the source at that offset is in the output already. */
bool output_has_consumed(const struct output *output, const struct source *source, uint64_t offset);

/* True while the destination refuses: records for it are to be passed over (source_skip()). */
bool output_is_blocked(const struct output *output);

/* Milliseconds until a blocked output is to be tried again; 0 = now, UINT64_MAX = not blocked. */
uint64_t output_retry_in_ms(struct output *output, uint64_t now_ms);

/* Takes up what is unfinished, and tries whether an output that refused could take something now;
 * unblocks it if so. With `put_off` the ledger is secured, and no more. True if it is
 * unblocked. */
bool output_retry(struct output *output, struct sources *sources, bool put_off, uint64_t now_ms);

/* Which threads do its syncs; borrowed. NULL: they are done at once. */
void output_set_threads(struct output *output, struct sync_threads *threads);

/* Whether each step must be on the disk before the next one is taken. */
void output_set_durable(struct output *output, bool durable);

/* True if an unfinished batch began in another file than the output's name leads to now. */
bool output_is_displaced(const struct output *output);

/* Forgets positions in segments that are gone: positions_forget_gone(). */
void output_forget_gone(struct output *output, const struct sources *sources);

/* Adds a record to the next batch of an output that is not blocked; its text must stay readable
 * until output_deliver(). Returns 0 or -ENOMEM. */
int output_queue(struct output *output, const struct batch_origin *origin, struct bytes text);

/* Passes over a record, while the output is blocked: its source gives it again after
 * outputs_retry(). */
void output_pass_over(struct output *output, struct source *source, struct segment_position at,
                      const struct segment_record *record);

/* The first record of a source that the output has passed over and that was not read again; offset
 * 0 = none. */
struct segment_position output_passed_over(const struct output *output,
                                           const struct source *source);

/* What the output has passed over of a source will be read again. */
void output_takes_up(struct output *output, const struct source *source);

/* When the oldest record that waits for the output, as far as it knows, was appended, ns since the
 * epoch; UINT64_MAX if none does. */
uint64_t output_oldest_ns(const struct output *output);

/* Makes ready to deliver what is queued, if anything is. Returns whether output_begin() may follow.
 * Where that fails, the records are passed over and the output is blocked. */
bool output_prepare(struct output *output, uint64_t now_ms);

/* Whether both, which output_prepare() has made ready, would write to the same file. */
bool output_shares_file(const struct output *output, const struct output *other);

/* Notes the intent to deliver what is queued. The ledger is not synced. Returns whether
 * output_deliver() is to follow. Where the note fails, the records are passed over and the output
 * is blocked. `sources` are all there are. */
bool output_begin(struct output *output, const struct sources *sources, uint64_t now_ms);

/* True from output_begin() to output_deliver(). */
bool output_has_begun(const struct output *output);

/* Delivers what output_begin() has noted, and settles it, or with durability "machine" begins its
 * sync. Returns true; or false, and the records are passed over and the output is blocked, with a
 * batch that is unfinished. */
bool output_deliver(struct output *output, const struct sources *sources, uint64_t now_ms);

/* The same as if output_deliver() had failed with that negative errno. */
void output_give_up(struct output *output, int error, uint64_t now_ms);

/* True from output_deliver() on until the sync is done and the ledger settled. */
bool output_is_syncing(const struct output *output);

/* Settles what was delivered, if its sync is done by that moment of the monotonic clock, ms; the
 * ledger is not synced. Returns true then. Else the output is blocked, and output_retry() settles
 * it. */
bool output_settle_delivered(struct output *output, const struct sources *sources,
                             uint64_t until_ms, uint64_t now_ms);

/* Begins to sync the ledger; and waits until that is done, if it was begun. */
void output_begin_ledger_sync(struct output *output);
void output_end_ledger_sync(struct output *output);

/* Gives back all that is queued and blocks the output for a moment. */
void output_postpone(struct output *output, uint64_t now_ms);

/* What output_set_aside() did. */
struct output_aside {
    uint64_t records;
    uint64_t bytes; /* of their text */
    /* Of the file, in aside/; "" = there was nothing to set aside, or the file has not got its
     * name. */
    char name[ASIDE_NAME_BYTES_MAX];
    /* The file holds records that are settled, and could not be given its name: aside_resolve(). */
    bool unnamed;
    /* More may wait. */
    bool more;
};

/* Sets aside what waits for an output that is blocked, some of it at a time: the records go to a
 * file in aside/ (segment/aside_store.h), and the ledger says that nothing of them is to be
 * delivered. Of a batch that is unfinished that is what does not stand in the output. A kill at
 * any instruction leaves each record waiting or set aside, once it is known whether the file
 * counts (aside_resolve()). Returns 0, or a negative errno with nothing changed: no room, or it
 * cannot be told what stands in the output. */
int output_set_aside(struct output *output, struct sources *sources, struct output_aside *made_r);

/* Whether the ledger says that the segment with that id holds records of this output that were set
 * aside. */
bool output_knows_aside(const struct output *output, const struct segment_id *id);

/* An output that is held is not tried again. */
void output_hold(struct output *output, bool held);

/* Lets go of the destination's descriptors until there is something to deliver again. */
void output_release(struct output *output);

/* Lets go of the ledger's, too. */
void output_spare_descriptors(struct output *output);

/* True if it refuses for want of descriptors. */
bool output_lacks_descriptors(const struct output *output);

/* True if no source has records that this output has consumed: it may be closed, and its ledger
 * removed. */
bool output_is_forgettable(const struct output *output, const struct sources *sources);

/* Frees; NULL-safe; sets *op to NULL. `forget` removes the ledger as well, which is only for one
 * that is output_is_forgettable(). */
void output_close(struct output **op, bool forget);

#endif
