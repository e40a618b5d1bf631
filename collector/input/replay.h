/* replay.h -- reads again what a segment holds before some place, for a batch that was cut
 * short. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_INPUT_REPLAY_H
#define MYGRPCADAPTER_COLLECTOR_INPUT_REPLAY_H

#include <stdint.h>

#include "collector/input/source.h"

/* Takes a record; its bytes are good for the time of the call. `end_offset` is where the record
 * behind it stands. 0: go on; anything else ends the reading. */
typedef int (*replay_take)(void *context, const struct segment_record *record,
                           struct segment_position at, uint64_t end_offset);

/* Reads the records of a source from its beginning up to the offset `end`, whatever has been
 * read of it before, and leaves it as it is. Returns 0 when all have been taken; -ENODATA if the
 * segment has no more records before `end` (a loss of power has taken them); what `take` ended
 * it with; or another negative errno: it cannot be read now. */
int replay_read(struct source_means *means, const struct source *source, uint64_t end,
                replay_take take, void *context);

#endif
