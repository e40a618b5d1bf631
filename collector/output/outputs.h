/* outputs.h -- all the outputs there are. Runs in the collector; kept by merge.c.
 *
 * An output is made when a start finds its ledger, or its first record comes, and is forgotten when
 * it rests and no segment has records that it has consumed.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUTS_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/output/output_index.h"

struct heritage;
struct source;
struct sources;
struct sync_threads;

/* The fields are for outputs.c and output_recovery.c, but for list and count. */
struct outputs {
    const struct heritage *heritage; /* borrowed */
    struct sync_threads *threads;    /* borrowed; NULL = syncs are done at once */
    bool durable;
    struct output **list;
    size_t count;
    size_t capacity;
    struct output_index index;
};

/* No outputs yet. */
void outputs_init(struct outputs *outputs, const struct heritage *heritage,
                  struct sync_threads *threads);

/* Makes an output of every ledger in the segment directory (output_recovery.c). What is
 * unfinished in them is taken up by outputs_retry(). Only a lack of memory or descriptors is an
 * error: a damaged ledger is set aside, and one that cannot be read keeps its own output
 * waiting. Call it before anything is delivered. Returns 0 or a negative errno. */
int outputs_recover(struct outputs *outputs);

/* Tells every output whether each step must be on the disk before the next one is taken. */
void outputs_set_durable(struct outputs *outputs, bool durable);

/* Has every output forget positions in segments that are gone: positions_forget_gone(). */
void outputs_forget_gone(struct outputs *outputs, const struct sources *sources);

/* True if what all ledgers say has been made durable: before that no segment may be removed. */
bool outputs_are_secured(const struct outputs *outputs);

/* The output of that kind and name; NULL if there is none yet. It stays the list's. */
struct output *outputs_find(struct outputs *outputs, enum segment_kind kind, struct bytes name);

/* Makes an output that there is not yet, and tells it of all sources. Returns 0 or a negative errno
 * (-EPROTO: there is no such kind). *output_r is the list's. */
int outputs_make(struct outputs *outputs, const struct sources *sources, enum segment_kind kind,
                 struct bytes name, struct output **output_r);

/* Adds an output, which then is the list's. Returns 0, or -ENOMEM and it is still the caller's. */
int outputs_add(struct outputs *outputs, struct output *output);

/* Tells every output of a new source. Returns 0 or -ENOMEM. */
int outputs_meet_source(struct outputs *outputs, const struct source *source);

/* Tells every output that the source with that index has been retired. */
void outputs_forget_source(struct outputs *outputs, size_t index);

/* Takes up what is unfinished; and once the time of one output that refused has come, tries them
 * all. Where one of them can take something now, the sources go back to what was passed over for
 * it. */
void outputs_retry(struct outputs *outputs, struct sources *sources, uint64_t now_ms);

/* Has every source keep what outputs that are blocked have passed over, and no more: after one of
 * them was set aside. */
void outputs_recount_skips(const struct outputs *outputs, struct sources *sources);

/* Milliseconds until an output that refused is to be tried again; UINT64_MAX = none has. */
uint64_t outputs_retry_in_ms(const struct outputs *outputs, uint64_t now_ms);

/* Delivers what is queued for each. */
void outputs_deliver(struct outputs *outputs, const struct sources *sources, uint64_t now_ms);

/* How many refuse now. */
size_t outputs_refusing(const struct outputs *outputs);

/* When the oldest record that waits for one that refuses was appended, ns since the epoch, as far
 * as they know; UINT64_MAX if none does. */
uint64_t outputs_oldest_ns(const struct outputs *outputs);

/* Lets go of all descriptors: each output is opened anew for its next batch. */
void outputs_release(struct outputs *outputs);

/* The same, and of those of the ledgers: for a process that can have no more. */
void outputs_spare_descriptors(struct outputs *outputs);

/* Forgets every output that may be, and removes its ledger. `sources` is all there is to read. */
void outputs_forget_idle(struct outputs *outputs, const struct sources *sources);

/* Frees all of it; leaves files and ledgers as they are. */
void outputs_clear(struct outputs *outputs);

#endif
