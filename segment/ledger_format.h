/* ledger_format.h -- the byte layout of a ledger, which says how far one output is.
 *
 * The collector writes ledgers (collector/output/ledger.h); it and `mygrpcadapter segments` read
 * them (ledger_reader.h). Each output has a ledger file of its own in the segment directory. It
 * holds two blocks, which are written in turns, so that a write that is cut short spoils only the
 * older one. A block holds one record, twice: a byte that has rotted spoils one copy. Of two whole
 * records the one with the higher generation counts. The record of generation N stands in block
 * N % LEDGER_BLOCKS, which begins at that many LEDGER_BLOCK_BYTES, and its second copy
 * LEDGER_COPY_BYTES behind; the file is sparse.
 *
 * All numbers are little-endian. Bytes the layout does not name are zero.
 *
 * A record of version 2:
 *      0  8  magic "mygrpcld"
 *      8  4  version, 2
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
 *            positions: segment id (16), slot (4), zeros (4), incarnation (8), number (8),
 *            before (8), after (8)
 *            checksum: XXH3-64 of all before it
 *
 * A position says of one segment, which has that id and the name of that slot, incarnation and
 * number: the output has every record of its own that stands before `before`. Where a batch is
 * under way, its records are those from `before` to `after`, segment by segment in the order of the
 * positions. A slot of LEDGER_SLOT_UNKNOWN: what the segment is called is not known.
 *
 * In version 1 a position was segment id (16) and offset (8), which is both before and after; an
 * unfinished batch did not say which records it has, and there was one copy. Such ledgers are still
 * read, never written.
 *
 * Bytes 0 to 63 mean the same in every version. What is behind them is a case in the switch of
 * ledger_format.c for each.
 */
#ifndef MYGRPCADAPTER_SEGMENT_LEDGER_FORMAT_H
#define MYGRPCADAPTER_SEGMENT_LEDGER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "segment/segment_format.h"

#define LEDGER_MAGIC "mygrpcld"
#define LEDGER_VERSION 2U
#define LEDGER_BLOCKS 2U
#define LEDGER_COPIES 2U
#define LEDGER_BLOCK_BYTES (16U << 20)
#define LEDGER_COPY_BYTES (LEDGER_BLOCK_BYTES / LEDGER_COPIES)
#define LEDGER_SLOT_UNKNOWN UINT32_MAX
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

/* How far an output is with one segment. */
struct ledger_position {
    struct segment_id id;
    /* What the segment is called; slot LEDGER_SLOT_UNKNOWN = not known (version 1). */
    struct segment_identity identity;
    uint64_t before;
    uint64_t after;
};

/* What a record says. Name and positions are borrowed. */
struct ledger_state {
    uint64_t generation;
    enum segment_kind kind;
    /* Of the output; shorter than SEGMENT_DESTINATION_BYTES_MAX. */
    struct bytes name;
    struct ledger_mark mark;
    const struct ledger_position *positions;
    size_t position_count;
    /* A batch is under way, and the positions do not say which records it has (version 1). */
    bool batch_unknown;
};

/* On disk: how a record begins. */
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

/* On disk: a position of version 1, and the beginning of one of version 2. */
#define LEDGER_POSITION_BYTES_V1 24U

/* On disk, since version 2. */
struct ledger_position_on_disk {
    struct segment_id id;         /*  0 */
    unsigned char slot[4];        /* 16 */
    unsigned char zeros[4];       /* 20 */
    unsigned char incarnation[8]; /* 24 */
    unsigned char number[8];      /* 32 */
    unsigned char before[8];      /* 40 */
    unsigned char after[8];       /* 48 */
};
_Static_assert(sizeof(struct ledger_position_on_disk) == 56, "on disk");

/* Writes the name of an output's ledger file, NUL-terminated. */
void ledger_name_format(char name[static LEDGER_NAME_BYTES_MAX], enum segment_kind kind,
                        struct bytes output_name);

/* Whether a file name in the segment directory is exactly a ledger's. */
bool ledger_name_is(const char *name);

/* Where a copy of block `block` begins in the file. */
static inline off_t
ledger_copy_offset(uint64_t block, uint64_t copy)
{
    return (off_t)(block * LEDGER_BLOCK_BYTES + copy * LEDGER_COPY_BYTES);
}

/* Bytes of a record that is written today. More than LEDGER_COPY_BYTES: there can be none. */
size_t ledger_record_bytes(size_t name_bytes, size_t position_count);

/* Lays a record out in `record`, which has room for ledger_record_bytes() and is aligned to 8. */
void ledger_record_encode(unsigned char *record, const struct ledger_state *state);

/* How many bytes the record has that begins with this header; 0 if it begins none, or one of an
 * unknown version. Trusts nothing in it. */
size_t ledger_header_judge(const struct ledger_header *header);

/* Whether `record` is a whole record of `size` bytes: of a known version, consistent, and with the
 * right checksum. */
bool ledger_record_is_whole(const unsigned char *record, size_t size);

/* How many positions a whole record has. */
size_t ledger_record_position_count(const unsigned char *record);

/* Says what a whole record says. *state_r points into it, and to `positions`, which has room for
 * ledger_record_position_count() and gets them. */
void ledger_record_decode(struct ledger_state *state_r, const unsigned char *record,
                          struct ledger_position *positions);

/* Which generation a whole record is. */
uint64_t ledger_record_generation(const unsigned char *record);

#endif
