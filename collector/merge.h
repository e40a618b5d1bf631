/* merge.h -- brings records from the segments to the outputs, in order.
 *
 * One pass reads a bounded number of records from every segment that may be read, sorts them by
 * output, and has each output deliver its share. A start takes no path of its own: it reads every
 * segment there is from its beginning, and what an output has consumed by its ledger is passed
 * over. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_MERGE_H
#define MYGRPCADAPTER_COLLECTOR_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heritage;
struct merge;
struct sync_threads;

/* Reads the ledgers left behind. `threads`, borrowed, do the syncs of the outputs; NULL: they are
 * done at once. Returns 0 or a negative errno; the caller owns *out. */
int merge_open(struct merge **out, const struct heritage *heritage, struct sync_threads *threads);

/* Has the directory read again before the next pass. */
void merge_look_again(struct merge *merge);

/* One pass. Returns how many records were read, 0 if there is nothing to do now, or a negative
 * errno if the segment directory cannot be read (to be tried again). */
int64_t merge_pass(struct merge *merge, uint64_t now_ms);

/* True if the last pass stopped at its bounds: the next one should follow at once. */
bool merge_is_behind(const struct merge *merge);

/* Milliseconds until an output that refused is to be tried again; UINT64_MAX = none has. */
uint64_t merge_retry_in_ms(const struct merge *merge, uint64_t now_ms);

/* Lets go of what an idle collector does not need. */
void merge_release_idle(struct merge *merge);

/* Lets go of the outputs' descriptors: each is opened anew for its next batch. */
void merge_reopen(struct merge *merge);

/* True if every segment has been merged and removed, and none could not be read, as far as the last
 * pass saw. */
bool merge_is_empty(const struct merge *merge);

/* Logs what is still to be merged. */
void merge_log_unmerged(const struct merge *merge);

/* Frees; NULL-safe; sets *mp to NULL. Leaves ledgers and segments as they are. */
void merge_close(struct merge **mp);

#endif
