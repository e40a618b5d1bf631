/* sources_private.h -- what sources.c and sources_refresh.c share. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_INPUT_SOURCES_PRIVATE_H
#define MYGRPCADAPTER_COLLECTOR_INPUT_SOURCES_PRIVATE_H

#include "collector/input/sources.h"
#include "segment/segment_store.h"

/* The source of that identity among the first `count`, which are in order; NULL if there is
 * none. */
struct source *sources_find(const struct sources *sources, size_t count,
                            const struct segment_identity *identity);

/* Puts a new source at the end of the list; sources_sort() puts it in its place. `final`: its
 * writer is gone. Returns 0 or -ENOMEM. */
int sources_add(struct sources *sources, const struct segment_facts *facts, bool final);

/* Puts the list in order. */
void sources_sort(struct sources *sources);

/* Sets a file aside whose damage begins at `offset`, behind so many whole records, and says so.
 * Returns 0 or a negative errno. */
int sources_quarantine(struct sources *sources, const struct segment_entry *entry, uint64_t offset,
                       uint64_t records_before, const char *reason);

/* Says that a file cannot be got out of the way; it is tried again with every pass. */
void sources_log_stuck(struct sources *sources, const struct segment_identity *identity, int error);

#endif
