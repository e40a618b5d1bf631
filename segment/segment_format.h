/* segment_format.h -- the byte layout of a segment, the contract between worker and collector.
 *
 * A segment is a preallocated file, mapped by its one writer, read by its one reader:
 *
 *     0                4096                                             file_bytes
 *     +-----------------+----------+----------+-----+----------+----------+
 *     | header page     | record 0 | record 1 | ... | seal     | zeros    |
 *     +-----------------+----------+----------+-----+----------+----------+
 *
 * All numbers are little-endian. Bytes the layout does not name are zero.
 *
 * The header page:
 *      0  8  magic "mygrpcsg"
 *      8  4  version, 3
 *     12  4  slot of the worker
 *     16  8  incarnation of the worker
 *     24  8  number of the segment in its incarnation, from 0
 *     32 16  id, random: no two segments share one
 *     48  8  file_bytes, the size of the file
 *     56  8  created, nanoseconds since the epoch
 *     64  8  sequence of the first record
 *     72  4  durability with which its records are acknowledged: 0 = the death of any process,
 *            1 = the loss of power
 *     76  4  zeros
 *     80  8  checksum: XXH3-64 of bytes 0 to 79
 *
 * A record, at a multiple of 8:
 *      0  4  length of the body in bytes; 0 = no record here yet, the end for now
 *      4  2  kind: enum segment_kind
 *      6  2  name_bytes, how much of the body is the destination's name
 *      8  8  sequence: one more than the record before, through all segments of an incarnation
 *     16  8  checksum: XXH3-64 of the body, seeded with the XXH3-64 of id, offset (8 bytes), bytes
 *            0 to 15 and bytes 24 to 31
 *     24  8  appended, nanoseconds since the epoch
 *     32     body: the destination's name, then the payload; zeros to the next multiple of 8
 *
 * In versions 1 and 2 the header says no durability, and its checksum is at 72, of bytes 0 to 71.
 * In version 1 a record has no time: its body begins at 24, and the checksum is without it. Such
 * segments are still read, never written: who upgrades may have left some.
 *
 * Crash contract: body, sequence, checksum and time are stored first, then bytes 0 to 7 with one
 * 64-bit release store. A writer killed before it has left no record, one killed after it a whole
 * one. The id and the offset in the checksum keep bytes of another file or place from passing for a
 * record.
 *
 * A seal is a record of kind SEGMENT_SEAL whose body is the number of records before it (8 bytes):
 * nothing follows.
 *
 * The name of the file carries slot, incarnation, number and state, as in
 * 00003-0000000017-0000000002.open. A file is ".new" while its writer prepares it, ".open" while it
 * may be written, ".sealed" once nobody writes it any more. From ".new" until its end the writer
 * holds flock(2) on it: who gets the lock of an ".open" file knows its writer dead.
 */
#ifndef MYGRPCADAPTER_SEGMENT_FORMAT_H
#define MYGRPCADAPTER_SEGMENT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define SEGMENT_MAGIC "mygrpcsg"
#define SEGMENT_VERSION 3U
#define SEGMENT_VERSION_OLDEST 1U
#define SEGMENT_HEADER_BYTES 4096U
#define SEGMENT_RECORD_HEADER_BYTES 32U
#define SEGMENT_RECORD_HEADER_BYTES_V1 24U
#define SEGMENT_ALIGNMENT 8U
#define SEGMENT_SEAL_BYTES (SEGMENT_RECORD_HEADER_BYTES + 8U)
#define SEGMENT_ID_BYTES 16U
#define SEGMENT_NAME_BYTES_MAX 64U
#define SEGMENT_DESTINATION_BYTES_MAX 4096U

/* What a record's destination is, a row each: its number on disk, the word for it, and whether
 * such a destination has a name. The collector has a file for each
 * (collector/destination/destination.c). */
#define SEGMENT_KINDS(KIND)                                                                        \
    KIND(STANDARD_OUTPUT, 1, "stdout", false)                                                      \
    KIND(FILE, 2, "file", true)

#define SEGMENT_KIND_NUMBER(name, number, word, is_named) SEGMENT_##name = (number),
enum segment_kind { SEGMENT_KINDS(SEGMENT_KIND_NUMBER) SEGMENT_SEAL = 0xffff };

/* The word for a kind; NULL if there is no such kind of destination. */
const char *segment_kind_word(uint16_t kind);

/* Whether a destination of that kind can have a name of so many bytes; false if there is no such
 * kind. */
bool segment_kind_takes_name(uint16_t kind, size_t name_bytes);

struct segment_id {
    unsigned char bytes[SEGMENT_ID_BYTES];
};

/* The slot, of no worker, of segments that hold what was set aside (aside_store.h). */
#define SEGMENT_SLOT_ASIDE 99999U

/* Whose segment it is, and which one. */
struct segment_identity {
    uint32_t slot;
    uint64_t incarnation;
    uint64_t number;
};

/* On disk. */
struct segment_header {
    char magic[8];                   /*  0 */
    unsigned char version[4];        /*  8 */
    unsigned char slot[4];           /* 12 */
    unsigned char incarnation[8];    /* 16 */
    unsigned char number[8];         /* 24 */
    struct segment_id id;            /* 32 */
    unsigned char file_bytes[8];     /* 48 */
    unsigned char created_ns[8];     /* 56 */
    unsigned char first_sequence[8]; /* 64 */
    unsigned char durability[4];     /* 72, where the checksum stood before version 3 */
    unsigned char zeros[4];          /* 76 */
    unsigned char checksum[8];       /* 80 */
};
_Static_assert(sizeof(struct segment_header) == 88, "on disk");
_Static_assert(offsetof(struct segment_header, durability) == 72, "on disk");
_Static_assert(offsetof(struct segment_header, checksum) == 80, "on disk");

/* On disk. */
struct segment_record_header {
    unsigned char length[4];      /*  0 */
    unsigned char kind[2];        /*  4 */
    unsigned char name_bytes[2];  /*  6 */
    unsigned char sequence[8];    /*  8 */
    unsigned char checksum[8];    /* 16 */
    unsigned char appended_ns[8]; /* 24, not in version 1 */
};
_Static_assert(sizeof(struct segment_record_header) == SEGMENT_RECORD_HEADER_BYTES, "on disk");
_Static_assert(offsetof(struct segment_record_header, appended_ns) ==
                   SEGMENT_RECORD_HEADER_BYTES_V1,
               "on disk");

/* A record in memory; name and payload are borrowed. */
struct segment_record {
    enum segment_kind kind;
    struct bytes name;    /* of the destination, at most SEGMENT_DESTINATION_BYTES_MAX */
    struct bytes payload; /* what the destination gets */
    uint64_t appended_ns; /* since the epoch; set by the reader, 0 = not known (version 1) */
};

/* Bytes of a record's header in a segment of that version. */
static inline uint64_t
segment_record_header_bytes(uint32_t version)
{
    return version == 1 ? SEGMENT_RECORD_HEADER_BYTES_V1 : SEGMENT_RECORD_HEADER_BYTES;
}

/* Bytes a record with such a body takes in a segment of that version. */
static inline uint64_t
segment_record_bytes_in(uint32_t version, uint64_t body_bytes)
{
    return (segment_record_header_bytes(version) + body_bytes + SEGMENT_ALIGNMENT - 1) &
           ~(uint64_t)(SEGMENT_ALIGNMENT - 1);
}

/* Bytes a record with such a body takes in a segment that is written today. */
static inline uint64_t
segment_record_bytes(uint64_t body_bytes)
{
    return segment_record_bytes_in(SEGMENT_VERSION, body_bytes);
}

/* The first eight bytes of a record as the one number that publishes it. */
static inline uint64_t
segment_publish_word(uint32_t length, uint16_t kind, uint16_t name_bytes)
{
    return (uint64_t)length | (uint64_t)kind << 32 | (uint64_t)name_bytes << 48;
}

/* What binds a record to its place. */
struct segment_record_place {
    const struct segment_id *id;
    uint64_t offset;
    uint64_t word; /* segment_publish_word() */
    uint64_t sequence;
    uint64_t appended_ns; /* does not count in version 1 */
};

/* The checksum of a record at that place of a segment of that version; layout above. */
uint64_t segment_record_checksum(uint32_t version, const struct segment_record_place *place,
                                 const void *body, uint64_t body_bytes);

/* Puts its checksum into a header that is complete but for that, where its version has it. */
void segment_header_finish(struct segment_header *header);

/* Whether a header has the right checksum; one of an unknown version has none. */
bool segment_header_is_whole(const struct segment_header *header);

#endif
