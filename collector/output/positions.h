/* positions.h -- how far one output has consumed each segment. Runs in the collector; kept by
 * output.c, written to and read from the ledger. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_POSITIONS_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/input/sources.h"
#include "collector/output/batch.h"
#include "segment/ledger_format.h"

struct positions_recovered;

/* Zero it before use; the fields are for positions.c. */
struct positions {
    /* By the index of a source: every record for this output before that offset is delivered; 0 =
     * none is. */
    uint64_t *consumed;
    size_t consumed_count;
    /* By the index of a source: it is in the list that is being made. */
    bool *listed;
    size_t listed_count;
    /* What the ledger said at the start of segments that have not been met. */
    struct positions_recovered *recovered;
    size_t recovered_count;
    /* Room for positions_list(). */
    struct ledger_position *list;
    size_t list_capacity;
};

/* Keeps what a ledger says, for the sources to be met. Returns 0 or -ENOMEM. */
int positions_recover(struct positions *positions, const struct ledger_state *state);

/* A new source: it is consumed as far as the ledger said of that segment. Returns 0 or -ENOMEM. */
int positions_meet(struct positions *positions, const struct source *source);

/* The source with that index is no more. */
void positions_forget(struct positions *positions, size_t index);

/* Forgets what the ledger said of segments that are gone. Call it when the directory has just been
 * seen as a whole and all sources have been met: what is not met and has no name in two such looks
 * is gone. A segment that is there but cannot be read keeps its position. */
void positions_forget_gone(struct positions *positions, const struct sources *sources);

/* Notes a segment that is no source, to be carried on like what a ledger said of one that was not
 * met. Returns 0 or -ENOMEM. */
int positions_note(struct positions *positions, const struct ledger_position *position);

/* Takes back the last positions_note(). */
void positions_take_back_note(struct positions *positions);

/* Whether that segment, which is no source, is noted. */
bool positions_has_note(const struct positions *positions, const struct segment_id *id);

/* The offset up to which a source, which has been met, is consumed; 0 = not at all. */
uint64_t positions_get(const struct positions *positions, const struct source *source);

/* A source is consumed up to an offset, which is not before what it was. */
void positions_set(struct positions *positions, const struct source *source, uint64_t offset);

/* True if something of a source that is there is consumed, or may be of one that is not met. */
bool positions_matter(const struct positions *positions, const struct sources *sources);

/* What the ledger must hold while `batch` is under way, or, with `settled`, when all of it is
 * delivered: *list_r, good until the next call. The positions of the batch come first, in its
 * order. Returns the number or -ENOMEM. */
ssize_t positions_list(struct positions *positions, const struct sources *sources,
                       const struct batch *batch, bool settled,
                       const struct ledger_position **list_r);

/* The positions of the batch alone. */
ssize_t positions_list_batch(struct positions *positions, const struct batch *batch,
                             const struct ledger_position **list_r);

/* Frees what it holds. */
void positions_clear(struct positions *positions);

#endif
