/* segment_reader.h -- reads a segment's records, while it is written or after.
 *
 * Trusts nothing in the file: each record's bounds, sequence and checksum are verified before it is
 * given out. Runs in the collector; it only reads, so any number of readers may look at a file.
 */
#ifndef MYGRPCADAPTER_SEGMENT_READER_H
#define MYGRPCADAPTER_SEGMENT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "segment/segment_format.h"

struct segment_reader;

/* A place between two records: the offset of the next one and the sequence it must carry. */
struct segment_position {
    uint64_t offset;
    uint64_t sequence;
};

/* What a header page says, once it has been verified. */
struct segment_facts {
    struct segment_identity identity;
    struct segment_id id;
    uint32_t version;
    uint64_t file_bytes;
    struct segment_position start;
};

enum segment_next {
    SEGMENT_NEXT_RECORD, /* here is one */
    SEGMENT_NEXT_NONE, /* none is published here: the end for now, or for good if the writer is gone
                        */
    SEGMENT_NEXT_SEALED,  /* the seal: nothing follows */
    SEGMENT_NEXT_DAMAGED, /* what is here is no record; nothing behind it can be trusted */
};

/* Verifies the header page of the open file `fd` against its size and against the identity in its
 * name. Returns 0, a negative errno if it cannot be read, or -EBADMSG if it is damaged; then
 * *reason_r is a literal that says how. */
int segment_facts_read(struct segment_facts *facts_r, int fd,
                       const struct segment_identity *identity, const char **reason_r);

/* Maps the open file `fd`, whose header segment_facts_read() found good; positioned at its start.
 * The caller keeps `fd` and may close it. Returns 0 or a negative errno; the caller owns *out. */
int segment_reader_open(struct segment_reader **out, int fd, const struct segment_facts *facts);

/* Reads what is at the position; only SEGMENT_NEXT_RECORD moves it on. The record's name and
 * payload point into the mapping and are good until segment_reader_close(). */
enum segment_next segment_reader_next(struct segment_reader *reader,
                                      struct segment_record *record_r);

/* After SEGMENT_NEXT_NONE in a segment whose writer is gone: true if a record of this segment stands
 * somewhere behind the position all the same. Then what is missing here was lost (a page that never
 * reached the disk, say), and this is damage, not the end. */
bool segment_reader_has_more(const struct segment_reader *reader);

/* Where the reader stands. */
struct segment_position segment_reader_position(const struct segment_reader *reader);

/* Goes back or forth to a position that segment_reader_position() gave for this segment. */
void segment_reader_seek(struct segment_reader *reader, struct segment_position position);

/* Unmaps; NULL-safe; sets *rp to NULL. */
void segment_reader_close(struct segment_reader **rp);

#endif
