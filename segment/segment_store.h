/* segment_store.h -- the segment directory: which files it holds, and what their names may become.
 *
 *     NUMBERS.new -> NUMBERS.open -> NUMBERS.sealed -> (merged) removed
 *                                                   -> (damaged) quarantine/NUMBERS.sealed
 *
 * Every step is one rename or unlink, so a kill leaves a state that has a name. Used by workers
 * (the room they have taken), the collector (all the rest) and the master (the next incarnation).
 */
#ifndef MYGRPCADAPTER_SEGMENT_STORE_H
#define MYGRPCADAPTER_SEGMENT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "segment/segment_directory.h"
#include "segment/segment_name.h"

struct segment_entry {
    struct segment_identity identity;
    enum segment_state state;
};

/* Lists the segment files in the directory, ordered by segment_identity_compare(); other names are
 * passed over. *entries_r is the caller's to free(). Returns 0 or a negative errno, never a part of
 * the list. */
int segment_store_list(int directory_fd, struct segment_entry **entries_r, size_t *count_r);

/* The first incarnation to give out: *next_r, higher than any in the directory, and than any an
 * earlier master gave out unless the clock was set back (milliseconds since the epoch): its workers
 * may be alive still. Returns 0 or a negative errno. For the master, before it forks. */
int segment_store_next_incarnation(int directory_fd, uint64_t *next_r);

/* Bytes that segment files take up, merged or not. */
struct segment_store_bytes {
    /* Those of one slot. A ".new" one is being made by the asker, or was left by its predecessor
     * and is as good as gone: it does not count. */
    uint64_t of_slot;

    /* Those of all slots, with the ".new" ones. */
    uint64_t of_all;
};

/* Counts the bytes of the segment files, for one slot and for all. Returns 0 or a negative
 * errno. */
int segment_store_count_bytes(int directory_fd, uint32_t slot, struct segment_store_bytes *bytes_r);

/* Takes over an ".open" file whose writer is dead: gets its lock and renames it ".sealed". Returns
 * 0, -EAGAIN if the writer lives, -ENOENT if the file is gone (sealed by its writer meanwhile), or
 * another negative errno. */
int segment_store_take_over(int directory_fd, const struct segment_identity *identity);

/* Whether the segment has one of its names, ".open" or ".sealed"; one that is being set aside has
 * its name in aside/. Returns 0 if so, -ENOENT if not, or another negative errno if it cannot be
 * told. */
int segment_store_has(int directory_fd, const struct segment_identity *identity);

/* Opens a segment file for reading. Returns the descriptor, the caller's to close, or a negative
 * errno. */
int segment_store_open(int directory_fd, const struct segment_entry *entry);

/* Removes a ".sealed" file that has been merged. Returns 0 (also if it is gone already) or a
 * negative errno. */
int segment_store_remove(int directory_fd, const struct segment_identity *identity);

/* Removes a ".new" file that its writer has left behind. Returns 0 or a negative errno (-EAGAIN: it
 * is in use). */
int segment_store_remove_new(int directory_fd, const struct segment_identity *identity);

/* Moves the file `name` (or whatever has that name) into quarantine/, under a name that is free
 * there. Returns 0 (also if it is gone) or a negative errno. */
int segment_store_quarantine(int directory_fd, const char *name);

/* Waits until the disk has what came into quarantine/ or aside/, and then what was removed or
 * renamed (base/disk.h). */
void segment_store_sync(int directory_fd);

#endif
