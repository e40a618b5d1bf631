/* ledger_format.h -- the byte layout of a ledger, which says how far one output is.
 *
 * The collector writes ledgers (collector/output/ledger.h); it and `mygrpcadapter segments` read
 * them (ledger_reader.h). Each output has a ledger file of its own in the segment directory. It
 * holds two blocks, which are written in turns, so that a write that is cut short spoils only the
 * older one. A block holds one record; of two whole records the one with the higher generation
 * counts. The record of generation N stands in block N % LEDGER_BLOCKS, which begins at that many
 * LEDGER_BLOCK_BYTES; the file is sparse.
 *
 * All numbers are little-endian. Bytes the layout does not name are zero.
 *
 * A record of version 1:
 *      0  8  magic "mygrpcld"
 *      8  4  version, 1
 *     12  4  bytes of the whole record, checksum included
 *     16  8  generation
 *     24  8  device of the output file
 *     32  8  inode of the output file
 *     40  8  offset: size of the output file before the batch
 *     48  8  length of the batch in bytes; 0 = settled, no batch under way
 *     56  2  kind: enum segment_kind
 *     58  2  name_bytes
 *     60  4  position_count
 *     64     name of the output, zeros to the next multiple of 8
 *            positions: segment id (16), offset (8): the output has every record of its own that
 *            stands before that offset in that segment
 *            checksum: XXH3-64 of all before it
 *
 * Bytes 0 to 15 are the same in every version: by them a reader knows what it has before it. A new
 * version is a case in each switch of ledger_format.c.
 */
#ifndef MYGRPCADAPTER_SEGMENT_LEDGER_FORMAT_H
#define MYGRPCADAPTER_SEGMENT_LEDGER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "segment/segment_format.h"

#define LEDGER_MAGIC "mygrpcld"
#define LEDGER_VERSION 1U
#define LEDGER_BLOCKS 2U
#define LEDGER_BLOCK_BYTES (16U << 20)
#define LEDGER_NAME_BYTES_MAX 48U

/* The output file as it stood before a batch. */
struct ledger_mark {
    uint64_t device;
    uint64_t inode;
    /* The size of the file. */
    uint64_t offset;
    /* Of the batch that may follow; 0 = none. */
    uint64_t length;
};

/* Up to where an output has its records of one segment. On disk as in memory, but for the byte
 * order of the offset. */
struct ledger_position {
    struct segment_id id; /*  0 */
    uint64_t offset;      /* 16 */
};
_Static_assert(sizeof(struct ledger_position) == 24, "on disk");
_Static_assert(offsetof(struct ledger_position, offset) == 16, "on disk");

/* What a record says. Name and positions are borrowed. */
struct ledger_state {
    uint64_t generation;
    enum segment_kind kind;
    /* Of the output; shorter than SEGMENT_DESTINATION_BYTES_MAX. */
    struct bytes name;
    struct ledger_mark mark;
    const struct ledger_position *positions;
    size_t position_count;
};

/* On disk: how a record of version 1 begins. */
struct ledger_header {
    char magic[8];                   /*  0 */
    unsigned char version[4];        /*  8 */
    unsigned char record_bytes[4];   /* 12 */
    unsigned char generation[8];     /* 16 */
    unsigned char device[8];         /* 24 */
    unsigned char inode[8];          /* 32 */
    unsigned char offset[8];         /* 40 */
    unsigned char length[8];         /* 48 */
    unsigned char kind[2];           /* 56 */
    unsigned char name_bytes[2];     /* 58 */
    unsigned char position_count[4]; /* 60 */
};
_Static_assert(sizeof(struct ledger_header) == 64, "on disk");
_Static_assert(offsetof(struct ledger_header, record_bytes) == 12, "on disk, in every version");
_Static_assert(offsetof(struct ledger_header, generation) == 16, "on disk");
_Static_assert(offsetof(struct ledger_header, offset) == 40, "on disk");
_Static_assert(offsetof(struct ledger_header, kind) == 56, "on disk");
_Static_assert(offsetof(struct ledger_header, position_count) == 60, "on disk");

/* Writes the name of an output's ledger file, NUL-terminated. */
void ledger_name_format(char name[static LEDGER_NAME_BYTES_MAX], enum segment_kind kind,
                        struct bytes output_name);

/* Whether a file name in the segment directory is exactly a ledger's. */
bool ledger_name_is(const char *name);

/* Where block `block` begins in the file. */
static inline off_t
ledger_block_offset(uint64_t block)
{
    return (off_t)(block * LEDGER_BLOCK_BYTES);
}

/* Bytes of a record that is written today. More than LEDGER_BLOCK_BYTES: there can be none. */
size_t ledger_record_bytes(size_t name_bytes, size_t position_count);

/* Lays a record out in `record`, which has room for ledger_record_bytes() and is aligned to 8. */
void ledger_record_encode(unsigned char *record, const struct ledger_state *state);

/* How many bytes the record has that begins with this header; 0 if it begins none, or one of an
 * unknown version. Trusts nothing in it. */
size_t ledger_header_judge(const struct ledger_header *header);

/* Whether `record` is a whole record of `size` bytes: of a known version, consistent, and with the
 * right checksum. */
bool ledger_record_is_whole(const unsigned char *record, size_t size);

/* Says what a whole record says. *state_r points into it: it is decoded once, since that puts its
 * positions in the byte order of this machine where they stand. */
void ledger_record_decode(struct ledger_state *state_r, unsigned char *record);

/* Which generation a whole record is. */
uint64_t ledger_record_generation(const unsigned char *record);

/* Turns a whole record, not decoded, into one of `generation` that tells of no batch and of all
 * else as before. */
void ledger_record_settle(unsigned char *record, uint64_t generation);

#endif
