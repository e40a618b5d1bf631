/* ledger.h -- how far one output is: the record that moves together with its bytes.
 *
 * Each output has a ledger file of its own in the segment directory. It holds two blocks, written
 * in turns, so that a write that is cut short spoils only the older one; the valid block with the
 * higher generation counts:
 *
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
 *            positions: segment id (16), offset (8): all records of this output before it are in it
 *            checksum: XXH3-64 of all before it
 *
 * Block 0 is at byte 0 of the file, block 1 at LEDGER_BLOCK_BYTES (the file is sparse). All numbers
 * are little-endian.
 *
 * Crash contract: what ledger_write() returned 0 for is what ledger_open_existing() finds after the process
 * dies, or, if it died inside ledger_write(), either that or what was there before. Runs in the
 * collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_LEDGER_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment/segment_format.h"

#define LEDGER_BLOCK_BYTES (16U << 20)
#define LEDGER_NAME_BYTES_MAX 48U

struct ledger;

/* The output file as it stood before a batch. */
struct ledger_mark {
    uint64_t device;
    uint64_t inode;
    uint64_t offset; /* its size */
    uint64_t length; /* of the batch that may follow; 0 = none */
};

struct ledger_position {
    struct segment_id id;
    uint64_t offset;
};

/* What a ledger says. */
struct ledger_state {
    enum segment_kind kind;
    struct bytes name; /* of the output */
    struct ledger_mark mark;
    const struct ledger_position *positions;
    size_t position_count;
};

/* The name of the ledger file of an output. */
void ledger_name_format(char name[static LEDGER_NAME_BYTES_MAX], enum segment_kind kind,
                        struct bytes output_name);

/* Whether a file name in the segment directory is a ledger's. */
bool ledger_name_is(const char *name);

/* Opens the ledger of an output, and creates it settled and without positions if it is not there; it
 * appears whole or not at all. *created_r says which. With `durable` a new one is on the disk, under its
 * name, before this returns. Returns 0 or a negative errno; the caller owns *out. */
int ledger_open(struct ledger **out, int directory_fd, enum segment_kind kind,
                struct bytes output_name, bool durable, bool *created_r);

/* Opens and reads the ledger file `name`. Returns 0, a negative errno, or -EBADMSG if neither block
 * is valid. *state_r points into memory of the ledger, good until its next write or close. The
 * caller owns *out. */
int ledger_open_existing(struct ledger **out, int directory_fd, const char *name,
                         struct ledger_state *state_r);

/* False if somebody removed the file: what is written to it no later collector would find. */
bool ledger_is_there(const struct ledger *ledger);

/* Replaces what the ledger says about mark and positions. Returns 0 or a negative errno; then it
 * says what it said. */
int ledger_write(struct ledger *ledger, const struct ledger_mark *mark,
                 const struct ledger_position *positions, size_t position_count);

/* Notes that the batch it tells of has been taken back: length 0, all else as it is. Returns 0 or a
 * negative errno; then it says what it said. -EBADMSG: its file was damaged meanwhile. */
int ledger_settle(struct ledger *ledger);

/* Waits until what the ledger says is on the disk (base/disk.h). */
void ledger_sync(const struct ledger *ledger);

/* Closes; NULL-safe; sets *lp to NULL. */
void ledger_close(struct ledger **lp);

/* Removes the file as well: for an output no live segment has records of. */
void ledger_remove(struct ledger **lp);

#endif
