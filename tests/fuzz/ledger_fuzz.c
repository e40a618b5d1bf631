/* ledger_fuzz.c -- fuzzes the ledger reader: a ledger says what one of its blocks says, or is
 * refused.
 *
 * The first byte of an input chooses (modulo 3):
 *   0  two lengths of two bytes each, then block 0 and block 1, as they stand in the file;
 *   1  the same after a byte of choices, forged: checksums that make both blocks valid, and what
 *      else was chosen, so that hostile fields come as far as the code that judges them;
 *   2  the rest is a program: ledger_open() and ledger_write() write a ledger, which is then
 *      damaged, cut short, and forged or not.
 *
 * Holds for all of them:
 *   - what ledger_open_existing() says is exactly what read_block() below makes of the valid block
 *     with the higher generation; with no valid block it is -EBADMSG; asking again says the same;
 *   - ledger_open() takes it for the output named in it and for no other;
 *   - what is written next is what is said next; if that write is torn, anywhere, in sectors or in
 *     bytes, the old or the new state is said, and never a mixture.
 * Holds for 2, if it was not forged:
 *   - it is the last write that is said, or, if that one's block was damaged, the one before it.
 * INVARIANT() never fires. XXH3 comes from a library that is not instrumented.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "collector/output/ledger.h"

#define BLOCKS 2U
#define BLOCK_CAPACITY (16U << 10) /* of what an input can make of a block of LEDGER_BLOCK_BYTES */
#define HEADER_BYTES 64U
#define POSITION_BYTES 24U
#define CHECKSUM_BYTES 8U
#define NAME_BYTES_END 4096U
#define POSITIONS_MAX 400U
#define WRITES_MAX 8U
#define DAMAGES_MAX 8U
#define SECTOR_BYTES 512U

enum mode { MODE_BYTES, MODE_FORGED, MODE_WRITTEN, MODES };

/* Two blocks, each in a buffer that is zero behind it. */
struct blocks {
    struct fuzz_image block[BLOCKS];
};

/* What a block says, in the bytes of the block. */
struct said {
    bool valid;
    uint64_t generation;
    const unsigned char *header;
    struct bytes name;
    const unsigned char *positions;
    uint64_t position_count;
};

static unsigned char memory[BLOCKS][BLOCK_CAPACITY];
static unsigned char pristine[BLOCKS][BLOCK_CAPACITY];
static char file_name[LEDGER_NAME_BYTES_MAX];
static enum segment_kind output_kind;
static char output_name[NAME_BYTES_END];
static struct bytes output;
static int file_fd = -1;

/* ---- the layout of segment/ledger_format.h once more, read the slow and simple way: this shares
 * no code with it, and a change of the format is made in both */

static uint64_t
record_bytes(uint64_t name_bytes, uint64_t position_count)
{
    return HEADER_BYTES + (name_bytes + 7) / 8 * 8 + position_count * POSITION_BYTES +
           CHECKSUM_BYTES;
}

static struct said
read_block(const struct fuzz_image *block)
{
    const unsigned char *at = block->bytes;
    struct said said = {.valid = false};
    if (block->size < HEADER_BYTES || memcmp(at, "mygrpcld", 8) != 0 || fuzz_get(at + 8, 4) != 1)
        return said;
    uint64_t total = fuzz_get(at + 12, 4);
    uint64_t name_bytes = fuzz_get(at + 58, 2);
    said.generation = fuzz_get(at + 16, 8);
    said.header = at;
    said.name = (struct bytes){(const char *)at + HEADER_BYTES, name_bytes};
    said.positions = at + HEADER_BYTES + (name_bytes + 7) / 8 * 8;
    said.position_count = fuzz_get(at + 60, 4);
    said.valid =
        name_bytes < NAME_BYTES_END && total <= block->size &&
        total == record_bytes(name_bytes, said.position_count) &&
        fuzz_get(at + total - CHECKSUM_BYTES, 8) == XXH3_64bits(at, total - CHECKSUM_BYTES);
    return said;
}

static bool
says(const struct ledger_state *state, const struct said *said)
{
    const unsigned char *at = said->header;
    if ((uint64_t)state->kind != fuzz_get(at + 56, 2) || !bytes_equal(state->name, said->name) ||
        state->mark.device != fuzz_get(at + 24, 8) || state->mark.inode != fuzz_get(at + 32, 8) ||
        state->mark.offset != fuzz_get(at + 40, 8) || state->mark.length != fuzz_get(at + 48, 8) ||
        state->position_count != said->position_count)
        return false;
    for (size_t i = 0; i < state->position_count; i++) {
        const unsigned char *position = said->positions + i * POSITION_BYTES;
        if (memcmp(&state->positions[i].id, position, SEGMENT_ID_BYTES) != 0 ||
            state->positions[i].offset != fuzz_get(position + SEGMENT_ID_BYTES, 8))
            return false;
    }
    return true;
}

/* ---- the file */

static void
put_file(const struct blocks *blocks)
{
    FUZZ_CHECK(ftruncate(file_fd, 0) == 0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        const struct fuzz_image *block = &blocks->block[i];
        FUZZ_CHECK(pwrite(file_fd, block->bytes, block->size, (off_t)i * LEDGER_BLOCK_BYTES) ==
                   (ssize_t)block->size);
    }
}

/* Reads the blocks from the file, as far as an input can have made them. */
static void
get_file(unsigned char to[BLOCKS][BLOCK_CAPACITY])
{
    memset(to, 0, BLOCKS * sizeof(*to));
    for (unsigned i = 0; i < BLOCKS; i++)
        FUZZ_CHECK(pread(file_fd, to[i], BLOCK_CAPACITY, (off_t)i * LEDGER_BLOCK_BYTES) >= 0);
}

/* Names the output that the file is taken for from now on. */
static void
name_output(enum segment_kind kind, size_t name_bytes)
{
    char name[LEDGER_NAME_BYTES_MAX];
    for (size_t i = 0; i < name_bytes; i++)
        output_name[i] = (char)('a' + (i + name_bytes) % 26);
    output_kind = kind;
    output = (struct bytes){output_name, name_bytes};
    ledger_name_format(name, kind, output);
    int directory = fuzz_directory();
    if (file_fd < 0)
        file_fd = openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    else
        FUZZ_CHECK(renameat(directory, file_name, directory, name) == 0);
    FUZZ_CHECK(file_fd >= 0);
    memcpy(file_name, name, sizeof(name));
}

static int
open_existing(struct ledger **out, struct ledger_state *state)
{
    *out = NULL;
    return ledger_open_existing(out, fuzz_directory(), file_name, state);
}

/* ---- what holds for any file */

static void
check_open(const struct said *said)
{
    struct ledger *ledger = NULL;
    bool created = true;
    int result = ledger_open(&ledger, fuzz_directory(), output_kind, output, false, &created);
    bool ours = said->valid && fuzz_get(said->header + 56, 2) == (uint64_t)output_kind &&
                bytes_equal(said->name, output);
    FUZZ_CHECK(!created);
    FUZZ_CHECK(result == (ours ? 0 : said->valid ? -EEXIST : -EBADMSG));
    FUZZ_CHECK((ledger != NULL) == ours);
    ledger_close(&ledger);
}

/* The block that counts, of a file with these two. Of two with one generation the first does. */
static struct said
newest(const struct blocks *blocks)
{
    struct said first = read_block(&blocks->block[0]);
    struct said second = read_block(&blocks->block[1]);
    return second.valid && (!first.valid || second.generation > first.generation) ? second : first;
}

/* Writes something else into the ledger just opened, and reads it, whole and torn. */
static void
check_next_write(struct ledger **ledger, const struct said *before, struct fuzz_input *input)
{
    static unsigned char old[BLOCKS][BLOCK_CAPACITY];
    static unsigned char new[BLOCKS][BLOCK_CAPACITY];
    static struct ledger_position positions[POSITIONS_MAX];
    struct ledger_state state;
    const struct ledger_mark mark = {1, 2, 3, before->generation};
    size_t count = (size_t)fuzz_take(input, 2) % POSITIONS_MAX;
    get_file(old);
    int result = ledger_write(*ledger, &mark, positions, count);
    ledger_close(ledger);
    FUZZ_CHECK(result == 0 && *ledger == NULL);
    get_file(new);
    struct blocks blocks = {
        {{new[0], BLOCK_CAPACITY, BLOCK_CAPACITY}, {new[1], BLOCK_CAPACITY, BLOCK_CAPACITY}}};
    struct said after = newest(&blocks);
    FUZZ_CHECK(after.valid && after.generation == before->generation + 1);
    FUZZ_CHECK(fuzz_get(after.header + 48, 8) == before->generation);
    FUZZ_CHECK(open_existing(ledger, &state) == 0 && says(&state, &after));
    ledger_close(ledger);

    /* As far as `cut` the new bytes are there, then those sectors that `sectors` says. */
    unsigned at = (unsigned)(after.generation % BLOCKS);
    size_t cut = (size_t)fuzz_take(input, 2) % 256;
    uint64_t sectors = fuzz_take(input, 1);
    for (size_t i = cut; i < BLOCK_CAPACITY; i++) {
        if ((sectors >> (i / SECTOR_BYTES % 8) & 1) == 0)
            new[at][i] = old[at][i];
    }
    put_file(&blocks);
    struct said torn = newest(&blocks);
    FUZZ_CHECK(torn.valid && (torn.generation == before->generation ||
                              torn.generation == before->generation + 1));
    FUZZ_CHECK(open_existing(ledger, &state) == 0 && says(&state, &torn));
    ledger_close(ledger);
}

/* Whether the next write goes to the other block than the one that counts. A ledger that was
 * written and not forged is always so. */
static bool
is_in_turn(const struct blocks *blocks, const struct said *said)
{
    return said->header == blocks->block[said->generation % BLOCKS].bytes &&
           said->generation < UINT64_MAX;
}

/* Reads the blocks as a file. Returns what the one that counts says. */
static struct said
check_file(struct blocks *blocks, struct fuzz_input *input)
{
    struct ledger *ledger = NULL;
    struct ledger_state state;
    if (blocks->block[1].size > 0)
        blocks->block[0].size = BLOCK_CAPACITY; /* a hole reads as zeros */
    put_file(blocks);
    struct said expected = newest(blocks);
    check_open(&expected);
    for (int again = 0; again < 2; again++) {
        int result = open_existing(&ledger, &state);
        FUZZ_CHECK(result == (expected.valid ? 0 : -EBADMSG));
        FUZZ_CHECK((ledger != NULL) == expected.valid);
        if (expected.valid)
            FUZZ_CHECK(says(&state, &expected));
        if (expected.valid && again != 0 && is_in_turn(blocks, &expected))
            check_next_write(&ledger, &expected, input);
        ledger_close(&ledger);
    }
    return expected;
}

/* ---- forging */

/* Puts a block's checksum right; before that, as chosen, the magic and the version, the size to fit
 * the counts, and the counts to fit the block. */
static void
mend(struct fuzz_image *block, uint64_t choices)
{
    unsigned char *at = block->bytes;
    if (block->size < HEADER_BYTES + CHECKSUM_BYTES)
        return;
    if ((choices & 1) == 0) {
        memcpy(at, "mygrpcld", 8);
        fuzz_put(at + 8, 4, 1);
    }
    if ((choices & 2) == 0) {
        fuzz_put(at + 58, 2, fuzz_get(at + 58, 2) % (block->size / 2));
        fuzz_put(at + 60, 4, fuzz_get(at + 60, 4) % (block->size / 2 / POSITION_BYTES + 1));
    }
    if ((choices & 4) == 0)
        fuzz_put(at + 12, 4, record_bytes(fuzz_get(at + 58, 2), fuzz_get(at + 60, 4)));
    uint64_t total = fuzz_get(at + 12, 4);
    if (total >= CHECKSUM_BYTES && total <= block->size)
        fuzz_put(at + total - CHECKSUM_BYTES, 8, XXH3_64bits(at, total - CHECKSUM_BYTES));
}

/* ---- the program */

static struct ledger_mark
mark_of(uint64_t n)
{
    return (struct ledger_mark){n * 3, ~n, n << 40 | n, n % 2 * n};
}

static const struct ledger_position *
positions_of(uint64_t n, size_t count)
{
    static struct ledger_position positions[POSITIONS_MAX];
    for (size_t i = 0; i < count; i++) {
        memset(&positions[i].id, (int)((n + i) & 0xff), sizeof(positions[i].id));
        positions[i].offset = ~(n * 1000 + i);
    }
    return positions;
}

/* Whether the block says what write `n` wrote; 0 is what a new ledger says. */
static bool
is_write(const struct said *said, uint64_t n, size_t count)
{
    const struct ledger_mark nothing = {0, 0, 0, 0};
    const struct ledger_state state = {.kind = output_kind,
                                       .name = output,
                                       .mark = n == 0 ? nothing : mark_of(n),
                                       .positions = positions_of(n, count),
                                       .position_count = count};
    return said->valid && says(&state, said);
}

/* Makes a ledger by `writes` writes, of so many positions each. */
static void
write_ledger(size_t writes, const size_t counts[WRITES_MAX + 1])
{
    struct ledger *ledger = NULL;
    bool created = false;
    int directory = fuzz_directory();
    FUZZ_CHECK(unlinkat(directory, file_name, 0) == 0);
    (void)close(file_fd);
    FUZZ_CHECK(ledger_open(&ledger, directory, output_kind, output, false, &created) == 0 &&
               created);
    for (size_t n = 1; n <= writes; n++) {
        struct ledger_mark mark = mark_of(n);
        FUZZ_CHECK(ledger_write(ledger, &mark, positions_of(n, counts[n]), counts[n]) == 0);
    }
    ledger_close(&ledger);
    file_fd = openat(directory, file_name, O_RDWR | O_CLOEXEC);
    FUZZ_CHECK(file_fd >= 0);
}

static void
damage(struct blocks *blocks, struct fuzz_input *input)
{
    size_t damages = (size_t)fuzz_take(input, 1) % (DAMAGES_MAX + 1);
    for (size_t i = 0; i < damages; i++) {
        unsigned which = (unsigned)(fuzz_take(input, 1) % BLOCKS);
        size_t at = (size_t)fuzz_take(input, 2);
        at = at < 0x8000 ? at % ((size_t)2 * HEADER_BYTES) : at % BLOCK_CAPACITY;
        struct fuzz_image *block = &blocks->block[which];
        block->size = BLOCK_CAPACITY;
        fuzz_damage(block, pristine[1 - which], input, at);
    }
    uint64_t cut = fuzz_take(input, 2);
    unsigned which = (unsigned)(cut >> 15 & 1);
    size_t size = (cut & 0x4000) != 0 ? BLOCK_CAPACITY : (size_t)cut % BLOCK_CAPACITY;
    if (size < BLOCK_CAPACITY) {
        blocks->block[which].size = size;
        memset(blocks->block[which].bytes + size, 0, BLOCK_CAPACITY - size);
        if (which == 0)
            blocks->block[1].size = 0; /* the file ends in block 0 */
    }
}

static void
run_program(struct fuzz_input *input)
{
    size_t counts[WRITES_MAX + 1] = {0};
    uint64_t choice = fuzz_take(input, 1);
    size_t name_bytes = choice < 240 ? (size_t)choice % 40 : (size_t)(choice - 239) * 255;
    size_t writes = (size_t)fuzz_take(input, 1) % (WRITES_MAX + 1);
    for (size_t n = 1; n <= writes; n++) {
        size_t count = (size_t)fuzz_take(input, 1);
        counts[n] = count < 200 ? count % 24 : (count - 200) * 7;
    }
    name_output(name_bytes > 0 ? SEGMENT_FILE : SEGMENT_STANDARD_OUTPUT, name_bytes);
    write_ledger(writes, counts);
    get_file(memory);
    memcpy(pristine, memory, sizeof(pristine));
    struct blocks blocks = {
        {{memory[0], BLOCK_CAPACITY, BLOCK_CAPACITY}, {memory[1], BLOCK_CAPACITY, BLOCK_CAPACITY}}};
    uint64_t forging = fuzz_take(input, 1);
    damage(&blocks, input);
    if (forging % 4 == 3) {
        for (unsigned i = 0; i < BLOCKS; i++)
            mend(&blocks.block[i], forging >> (2 + 3 * i));
        (void)check_file(&blocks, input);
        return;
    }
    unsigned last =
        (unsigned)(writes % BLOCKS); /* generations 1 and 2 are those of ledger_open() */
    uint64_t last_bytes = fuzz_get(pristine[last] + 12, 4);
    bool last_is_whole = blocks.block[last].size >= last_bytes &&
                         memcmp(memory[last], pristine[last], last_bytes) == 0;
    uint64_t other_bytes = fuzz_get(pristine[1 - last] + 12, 4);
    bool other_is_whole = blocks.block[1 - last].size >= other_bytes &&
                          memcmp(memory[1 - last], pristine[1 - last], other_bytes) == 0;
    struct said said = check_file(&blocks, input);
    bool is_last = is_write(&said, writes, counts[writes]);
    bool is_before = writes == 0 ? is_last : is_write(&said, writes - 1, counts[writes - 1]);
    FUZZ_CHECK(!said.valid || is_last || is_before);
    FUZZ_CHECK(!last_is_whole || is_last);
    FUZZ_CHECK(!other_is_whole || is_last || is_before);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    enum mode mode = (enum mode)(fuzz_take(&input, 1) % MODES);
    if (mode == MODE_WRITTEN) {
        run_program(&input);
        return 0;
    }
    if (size > BLOCK_CAPACITY)
        return 0;
    uint64_t choices = mode == MODE_FORGED ? fuzz_take(&input, 1) : 0;
    size_t sizes[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        sizes[i] = (size_t)fuzz_take(&input, 2);
    struct blocks blocks;
    memset(memory, 0, sizeof(memory));
    for (unsigned i = 0; i < BLOCKS; i++) {
        const uint8_t *bytes = fuzz_take_bytes(&input, sizes[i], &sizes[i]);
        if (sizes[i] > 0)
            memcpy(memory[i], bytes, sizes[i]);
        blocks.block[i] = (struct fuzz_image){memory[i], sizes[i], BLOCK_CAPACITY};
        if (mode == MODE_FORGED)
            mend(&blocks.block[i], choices >> (3 * i));
    }
    name_output(SEGMENT_FILE, 6);
    (void)check_file(&blocks, &input);
    return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    name_output(SEGMENT_FILE, 6);
    return 0;
}
