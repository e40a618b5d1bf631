/* segment_reader.h -- reads a segment's records, while it is written or after.
 *
 * Trusts nothing in the file: each record's bounds, sequence and checksum are verified before it is
 * given out, and what cannot be read, or is not there any more, is an answer and never a signal.
 * Runs in the collector and in `mygrpcadapter segments`; it only reads, so any number of readers
 * may look at a file.
 */
#ifndef MYGRPCADAPTER_SEGMENT_READER_H
#define MYGRPCADAPTER_SEGMENT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "segment/segment_format.h"
#include "segment/segment_window.h"

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
    /* Its records were acknowledged when the disk had them. */
    bool durable;
    uint64_t file_bytes; /* of the whole file; it may have been cut short since */
    struct segment_position start;
};

enum segment_next {
    /* Here is one. */
    SEGMENT_NEXT_RECORD,
    /* None is published here. This is the end for now, or for good if the writer is gone. */
    SEGMENT_NEXT_NONE,
    /* The seal: nothing follows. */
    SEGMENT_NEXT_SEALED,
    /* What is here is no record; nothing behind it can be trusted. */
    SEGMENT_NEXT_DAMAGED,
    /* What is here cannot be read now; it may be another time. */
    SEGMENT_NEXT_FAILED,
};

/* Verifies the header page of the open file `fd` against the identity in its name. Returns 0, a
 * negative errno if it cannot be read, or -EBADMSG if it is damaged; then *reason_r is a literal
 * that says how. A file that is shorter or longer than its header says has a header that is good:
 * its reader meets the damage where it is. */
int segment_facts_read(struct segment_facts *facts_r, int fd,
                       const struct segment_identity *identity, const char **reason_r);

/* Makes a reader of the open file `fd`, whose header segment_facts_read() found good; positioned at
 * its start. `window` is borrowed and may be shared. Returns 0, and `fd` is the reader's, or a
 * negative errno, and it is still the caller's. The caller owns *out. */
int segment_reader_open(struct segment_reader **out, int fd, const struct segment_facts *facts,
                        struct segment_window *window);

/* Reads what is at the position, as it is now; only SEGMENT_NEXT_RECORD moves it on. The record's
 * name and payload are good until the window is used again, by this reader or another. */
enum segment_next segment_reader_next(struct segment_reader *reader,
                                      struct segment_record *record_r);

/* After SEGMENT_NEXT_NONE in a segment whose writer is gone: whether this is its end.
 * SEGMENT_NEXT_NONE: it is. SEGMENT_NEXT_DAMAGED: a record of this segment stands somewhere behind
 * the position all the same, so what is missing here was lost (a page that never reached the disk,
 * say); or the file is not as long as it was, and one may have stood there. SEGMENT_NEXT_FAILED:
 * what is behind cannot be read now. */
enum segment_next segment_reader_judge_end(struct segment_reader *reader);

/* What the last SEGMENT_NEXT_DAMAGED or SEGMENT_NEXT_FAILED met: a literal. */
const char *segment_reader_fault(const struct segment_reader *reader);

/* Where the reader stands. */
struct segment_position segment_reader_position(const struct segment_reader *reader);

/* Goes back or forth to a position that segment_reader_position() gave for this segment. */
void segment_reader_seek(struct segment_reader *reader, struct segment_position position);

/* Waits until the disk has what stands in the file (base/disk.h). */
void segment_reader_sync(const struct segment_reader *reader);

/* Closes the file and frees; NULL-safe; sets *rp to NULL. */
void segment_reader_close(struct segment_reader **rp);

#endif
