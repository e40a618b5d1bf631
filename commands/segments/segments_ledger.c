/* segments_ledger.c -- verifies and reads the blocks of a ledger. Runs in the process of
 * `mygrpcadapter segments`; collector/output/ledger.h has the layout. */
#include "commands/segments/segments_ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC "mygrpcld"
#define VERSION 1U
#define HEADER_BYTES 64U
#define CHECKSUM_BYTES 8U
#define BLOCKS 2U

/* Offsets in a block. */
enum {
    AT_VERSION = 8,
    AT_BYTES = 12,
    AT_GENERATION = 16,
    AT_DEVICE = 24,
    AT_INODE = 32,
    AT_OFFSET = 40,
    AT_LENGTH = 48,
    AT_KIND = 56,
    AT_NAME_BYTES = 58,
    AT_POSITION_COUNT = 60,
};

/* A block that is being written is whole again after this, a few times over. */
#define LOOKS_MAX 8
#define LOOK_PAUSE_NS 2000000L

/* A position is as on disk: 16 bytes of id, 8 of offset. */
_Static_assert(sizeof(struct ledger_position) == 24, "on disk");

int
segments_id_compare(const struct segment_id *a, const struct segment_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static size_t
positions_offset(const unsigned char *block)
{
    return HEADER_BYTES + (((size_t)le16_get(block + AT_NAME_BYTES) + 7) & ~(size_t)7);
}

/* Bytes of the block with this header; 0 if that is none. */
static size_t
block_bytes(const unsigned char *header)
{
    size_t bytes = positions_offset(header) +
                   le32_get(header + AT_POSITION_COUNT) * sizeof(struct ledger_position) +
                   CHECKSUM_BYTES;
    return memcmp(header, MAGIC, strlen(MAGIC)) == 0 && le32_get(header + AT_VERSION) == VERSION &&
                   bytes <= LEDGER_BLOCK_BYTES &&
                   le16_get(header + AT_NAME_BYTES) < SEGMENT_DESTINATION_BYTES_MAX &&
                   le32_get(header + AT_BYTES) == bytes
               ? bytes
               : 0;
}

/* Reads `size` bytes. Returns 0, -EBADMSG if the file ends before or its medium does not give them,
 * or another negative errno. */
static int
read_bytes(int fd, unsigned char *to, size_t size, off_t at)
{
    ssize_t got = pread(fd, to, size, at);
    if (got < 0)
        return errno == EIO ? -EBADMSG : -errno;
    return got == (ssize_t)size ? 0 : -EBADMSG;
}

/* Reads and verifies a block; *out is the caller's to free(). Returns 0, -EBADMSG if it is not
 * whole, or another negative errno. */
static int
read_block(unsigned char **out, int fd, unsigned block)
{
    unsigned char header[HEADER_BYTES];
    off_t at = (off_t)block * LEDGER_BLOCK_BYTES;
    *out = NULL;
    int result = read_bytes(fd, header, sizeof(header), at);
    if (result != 0)
        return result;
    size_t bytes = block_bytes(header);
    if (bytes == 0)
        return -EBADMSG;
    unsigned char *memory = malloc(bytes);
    if (memory == NULL)
        return -ENOMEM;
    result = read_bytes(fd, memory, bytes, at);
    if (result == 0 &&
        (block_bytes(memory) != bytes ||
         le64_get(memory + bytes - CHECKSUM_BYTES) != XXH3_64bits(memory, bytes - CHECKSUM_BYTES)))
        result = -EBADMSG;
    if (result != 0) {
        free(memory);
        return result;
    }
    *out = memory;
    return 0;
}

static int
compare_positions(const void *a, const void *b)
{
    const struct ledger_position *left = a;
    const struct ledger_position *right = b;
    return segments_id_compare(&left->id, &right->id);
}

/* Makes a state of the block in the ledger's memory, in the host's byte order and sorted. */
static void
parse_block(struct segments_ledger *ledger)
{
    unsigned char *block = ledger->memory;
    struct ledger_position *positions = (void *)(block + positions_offset(block));
    size_t count = le32_get(block + AT_POSITION_COUNT);
    for (size_t i = 0; i < count; i++)
        positions[i].offset = le64toh(positions[i].offset);
    if (count > 0)
        qsort(positions, count, sizeof(*positions), compare_positions);
    ledger->state = (struct ledger_state){
        .kind = (enum segment_kind)le16_get(block + AT_KIND),
        .name = {(const char *)block + HEADER_BYTES, le16_get(block + AT_NAME_BYTES)},
        .mark = {.device = le64_get(block + AT_DEVICE),
                 .inode = le64_get(block + AT_INODE),
                 .offset = le64_get(block + AT_OFFSET),
                 .length = le64_get(block + AT_LENGTH)},
        .positions = positions,
        .position_count = count,
    };
    ledger->valid = true;
}

static void
set_damage(struct segments_ledger *ledger, const char *reason, uint64_t offset)
{
    ledger->damage = reason;
    ledger->damage_offset = offset;
}

/* Reads both blocks and keeps the newer. Returns 0 or a negative errno. */
static int
read_blocks(struct segments_ledger *ledger, int fd)
{
    unsigned char *blocks[BLOCKS] = {NULL, NULL};
    int results[BLOCKS];
    for (unsigned block = 0; block < BLOCKS; block++)
        results[block] = read_block(&blocks[block], fd, block);
    unsigned newer = 0;
    if (blocks[0] == NULL || (blocks[1] != NULL && le64_get(blocks[1] + AT_GENERATION) >
                                                       le64_get(blocks[0] + AT_GENERATION)))
        newer = 1;
    free(blocks[1 - newer]);
    ledger->memory = blocks[newer];
    for (unsigned block = 0; block < BLOCKS; block++) {
        if (results[block] != 0 && results[block] != -EBADMSG)
            return results[block];
    }
    if (results[0] != 0 && results[1] != 0)
        set_damage(ledger, "neither of its two blocks is whole", 0);
    else if (results[0] != 0 || results[1] != 0)
        set_damage(ledger, "the block there is not whole; the other one counts",
                   results[0] != 0 ? 0 : LEDGER_BLOCK_BYTES);
    return 0;
}

/* Whether the block is of the output whose ledger has this name, and that one can be. */
static bool
belongs_to(const struct ledger_state *state, const char *name)
{
    char expected[LEDGER_NAME_BYTES_MAX];
    if (state->kind != SEGMENT_STANDARD_OUTPUT && state->kind != SEGMENT_FILE)
        return false;
    ledger_name_format(expected, state->kind, state->name);
    return strncmp(name, expected, strlen(expected)) == 0 &&
           (state->kind == SEGMENT_FILE) == (state->name.size > 0);
}

int
segments_ledger_read(struct segments_ledger *ledger, int fd, const char *name)
{
    *ledger = (struct segments_ledger){.valid = false};
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        set_damage(ledger, "it is not a regular file", 0);
        return 0;
    }
    for (int look = 0; look < LOOKS_MAX; look++) {
        segments_ledger_close(ledger);
        int result = read_blocks(ledger, fd);
        if (result != 0)
            return result;
        if (ledger->damage == NULL)
            break;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_PAUSE_NS}, NULL);
    }
    if (ledger->memory == NULL)
        return 0;
    parse_block(ledger);
    if (!belongs_to(&ledger->state, name)) {
        set_damage(ledger, "its name is not that of the output it tells of", 0);
        ledger->valid = false;
    }
    return 0;
}

void
segments_ledger_close(struct segments_ledger *ledger)
{
    free(ledger->memory);
    *ledger = (struct segments_ledger){.valid = false};
}
