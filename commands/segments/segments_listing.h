/* segments_listing.h -- which files there are in a segment directory, its aside/ and its
 * quarantine/.
 *
 * A list of names, taken once; what a file is called may change and it may vanish before it is
 * opened. Runs in the process of `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LISTING_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_LISTING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "segment/segment_directory.h"
#include "segment/segment_name.h"
#include "segment/segment_store.h"

#define SEGMENTS_FILE_NAME_BYTES_MAX (NAME_MAX + sizeof(SEGMENT_DIRECTORY_QUARANTINE "/"))

/* In the order they are listed in. */
enum segments_place { SEGMENTS_AT_WORK, SEGMENTS_IN_ASIDE, SEGMENTS_IN_QUARANTINE };
#define SEGMENTS_PLACES 3U

/* In the order they are listed in. */
enum segments_file_kind {
    SEGMENTS_FILE_SEGMENT,
    SEGMENTS_FILE_LEDGER,
    SEGMENTS_FILE_OTHER, /* listed in quarantine/ and aside/ only */
};

struct segments_file {
    enum segments_file_kind kind;
    enum segments_place place;
    struct segment_identity identity;        /* of a segment; in aside/ of no worth */
    enum segment_state state;                /* of a segment, by its name */
    char name[SEGMENTS_FILE_NAME_BYTES_MAX]; /* beneath the directory, quarantine/ included */
};

struct segments_listing {
    struct segments_file *files;
    size_t count;
    size_t capacity;
};

/* Opens the segment directory that `path` means: itself or, if there is neither segment nor ledger
 * in it, .mygrpcadapter beneath it, if that is there. Returns the descriptor, the caller's to
 * close, or a negative errno; *beneath_r says which. */
int segments_directory_open(const char *path, bool *beneath_r);

/* Lists the files: segments, those in aside/ and in quarantine/ last, then ledgers, then what else
 * there is in these. Returns 0 or a negative errno; the caller calls segments_listing_close() in
 * either case. */
int segments_listing_read(struct segments_listing *listing, int directory_fd);

/* Frees the list. It may be closed twice. */
void segments_listing_close(struct segments_listing *listing);

/* Opens a listed file for reading. A segment that has gone on to its next name since is found
 * there, and `file` changed. Returns the descriptor, the caller's to close, or a negative errno:
 * -ENOENT if it is gone. */
int segments_file_open(int directory_fd, struct segments_file *file);

#endif
