/* sources.h -- the segments there are to merge.
 *
 * Keeps the list of the segment directory's files up to date: finds new ones, takes over those
 * whose writer died, sets damaged ones aside. Runs in the collector, which is the only process that
 * removes or renames sealed segments.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_INPUT_SOURCES_H
#define MYGRPCADAPTER_COLLECTOR_INPUT_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "collector/input/source.h"

struct sources {
    /* What they are read with; the segment directory's descriptor is in it. */
    struct source_means means;
    /* What is removed must be gone from the disk before it is forgotten: the setting says so, or
     * one of the segments was written so. */
    bool durable;
    bool durable_by_setting;
    /* Ordered by segment_identity_compare(). */
    struct source **list;
    size_t count;
    size_t capacity;
    /* Every index is below index_end. Those that no source has are in free_indexes. */
    size_t index_end;
    size_t *free_indexes;
    size_t free_count;
    size_t free_capacity;
    /* Files that could not be read when the directory was last looked at, and since when there are
     * any; 0 = there are none. */
    size_t unreadable;
    uint64_t unreadable_since_ms;
    /* Files set aside since the start of the process. */
    uint64_t quarantined;
    struct log_brake stuck_brake;
};

/* No sources yet. `directory_fd`, the segment directory, is borrowed. */
void sources_init(struct sources *sources, int directory_fd, bool durable);

/* Brings the list up to date with the directory. Returns 0, or a negative errno if the directory
 * could not be seen as a whole; then nothing must be merged before a later call succeeds, since
 * what is not seen cannot be accounted for. */
int sources_refresh(struct sources *sources, uint64_t now_ms);

/* True if the segment of that identity is known to be gone: the directory has neither of its
 * names. A file that is there but cannot be opened is not gone. */
bool sources_is_gone(const struct sources *sources, const struct segment_identity *identity);

/* The source of the segment with that id; NULL if there is none. */
struct source *sources_find_id(const struct sources *sources, const struct segment_id *id);

/* True if one of them was acknowledged with durability "machine". */
bool sources_are_durable(const struct sources *sources);

/* Whether the source at that place in the list may be read now: it has not ended, and each one
 * waits for those before it in its incarnation, but not for long for one that cannot be read. */
bool sources_may_read(const struct sources *sources, size_t i, uint64_t now_ms);

/* Where it matters, waits until the disk has what was read of segments that are still written. */
void sources_sync(struct sources *sources);

/* Removes the files of sources that are done (damaged ones go to quarantine/) and forgets them,
 * calling `forget(context, index)` for each. With `durable` the disk has forgotten them first: an
 * output's ledger must know of a segment as long as a loss of power could bring it back. */
void sources_retire(struct sources *sources, void (*forget)(void *context, size_t index),
                    void *context);

/* Lets go of what an idle collector does not need. */
void sources_trim(struct sources *sources);

/* Frees all of it; leaves the files alone. */
void sources_clear(struct sources *sources);

#endif
