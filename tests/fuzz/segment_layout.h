/* segment_layout.h -- the layout of segment/segment_format.h once more, read the slow and simple
 * way.
 *
 * The segment target compares the reader with this, byte for byte and place for place, so it shares
 * no code with it: offsets are numbers here, and everything is copied out of a plain buffer. A
 * change of the format is made in both.
 */
#ifndef MYGRPCADAPTER_TESTS_FUZZ_SEGMENT_LAYOUT_H
#define MYGRPCADAPTER_TESTS_FUZZ_SEGMENT_LAYOUT_H

#include <stdbool.h>

#include "segment/segment_reader.h"
#include "tests/fuzz/fuzz.h"

/* What a header page that is right says. */
struct layout {
    const unsigned char *id; /* in the image */
    uint64_t version;
    bool durable;
    uint64_t file_bytes; /* that the file should have; the image may be shorter or longer */
    uint64_t first_sequence;
};

/* True if the image begins with the header of that segment. */
bool layout_read(struct layout *layout, const struct fuzz_image *image,
                 const struct segment_identity *identity);

/* What stands at the position; *next_r is the position behind it, if it is a record. */
enum segment_next layout_next(const struct layout *layout, const struct fuzz_image *image,
                              struct segment_position position, struct segment_record *record_r,
                              struct segment_position *next_r);

/* True if the position, where no record is, cannot be the end: one with a higher sequence stands at
 * it or behind it, or the file has not the size that it should have. */
bool layout_has_more(const struct layout *layout, const struct fuzz_image *image,
                     struct segment_position position);

/* Puts the header's checksum right. */
void layout_mend_header(struct fuzz_image *image);

/* Makes the header that of the segment, in that version, and of a file of this size. */
void layout_name_header(struct fuzz_image *image, const struct segment_identity *identity,
                        uint64_t version);

enum layout_mend { LAYOUT_MEND_SEQUENCE = 1, LAYOUT_MEND_LENGTH = 2, LAYOUT_MEND_SEAL = 4 };

/* Puts the checksum of each record right, one after the other, until one does not fit the file. On
 * the way `what` (of enum layout_mend) gives it the sequence that is due, cuts its length to what
 * is common, gives a seal its count. */
void layout_mend_records(struct fuzz_image *image, unsigned what);

#endif
