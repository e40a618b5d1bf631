/* ledger_fuzz.c -- fuzzes the ledger reader: a ledger says what one of its blocks says, or is
 * refused.
 *
 * A place is where a record may stand: two blocks of two copies make four. The first byte of an
 * input chooses (modulo 3):
 *   0  four lengths of two bytes each, then the bytes of the four places, as they stand in the
 *   file; 1  the same after two bytes of choices, forged: checksums that make all four valid, and
 *   what
 *      else was chosen, so that hostile fields come as far as the code that judges them;
 *   2  the rest is a program: ledger_open() and ledger_write() write a ledger, which is then
 *      damaged, cut short, and forged or not.
 *
 * Holds for all of them:
 *   - what ledger_open_existing() says is exactly what read_place() below makes of the first valid
 *     copy of the block with the higher generation, in version 1 or 2; with no valid block it is
 *     -EBADMSG; asking again says the same;
 *   - ledger_open() takes it for the output named in it and for no other;
 *   - ledger_rewrite() changes nothing of what is said, and makes both copies equal;
 *   - what is written next is what is said next; if that write is torn, anywhere, in sectors or in
 *     bytes, the old or the new state is said, and never a mixture.
 * Holds for 2, if it was not forged:
 *   - it is the last write that is said as long as its first copy is whole, or the second one where
 *     the first is damaged; else the write before it, or that one.
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
#define COPIES 2U
#define PLACES (BLOCKS * COPIES)
#define PLACE_BYTES (8U << 20)
/* Of what an input can make of a place. */
#define PLACE_CAPACITY (32U << 10)
#define HEADER_BYTES 64U
#define CHECKSUM_BYTES 8U
#define NAME_BYTES_END 4096U
#define POSITIONS_MAX 400U
#define WRITES_MAX 8U
#define DAMAGES_MAX 8U
#define SECTOR_BYTES 512U

enum mode { MODE_BYTES, MODE_FORGED, MODE_WRITTEN, MODES };

/* Four places in the order of the file, each in a buffer that is zero behind it. */
struct places {
    struct fuzz_image place[PLACES];
};

/* What a place says, in its bytes. */
struct said {
    bool valid;
    uint64_t version;
    uint64_t generation;
    const unsigned char *header;
    struct bytes name;
    const unsigned char *positions;
    uint64_t position_count;
};

static unsigned char memory[PLACES][PLACE_CAPACITY];
static unsigned char pristine[PLACES][PLACE_CAPACITY];
static char file_name[LEDGER_NAME_BYTES_MAX];
static enum segment_kind output_kind;
static char output_name[NAME_BYTES_END];
static struct bytes output;
static int file_fd = -1;

/* ---- the layout of segment/ledger_format.h once more, read the slow and simple way: this shares
 * no code with it, and a change of the format is made in both */

static uint64_t
position_bytes(uint64_t version)
{
    return version == 1 ? 24 : 56;
}

static uint64_t
record_bytes(uint64_t version, uint64_t name_bytes, uint64_t position_count)
{
    return HEADER_BYTES + (name_bytes + 7) / 8 * 8 + position_count * position_bytes(version) +
           CHECKSUM_BYTES;
}

static struct said
read_place(const struct fuzz_image *place)
{
    const unsigned char *at = place->bytes;
    struct said said = {.valid = false};
    if (place->size < HEADER_BYTES || memcmp(at, "mygrpcld", 8) != 0)
        return said;
    said.version = fuzz_get(at + 8, 4);
    if (said.version != 1 && said.version != 2)
        return said;
    uint64_t total = fuzz_get(at + 12, 4);
    uint64_t name_bytes = fuzz_get(at + 58, 2);
    said.generation = fuzz_get(at + 16, 8);
    said.header = at;
    said.name = (struct bytes){(const char *)at + HEADER_BYTES, name_bytes};
    said.positions = at + HEADER_BYTES + (name_bytes + 7) / 8 * 8;
    said.position_count = fuzz_get(at + 60, 4);
    said.valid =
        name_bytes < NAME_BYTES_END && total <= place->size &&
        total == record_bytes(said.version, name_bytes, said.position_count) &&
        fuzz_get(at + total - CHECKSUM_BYTES, 8) == XXH3_64bits(at, total - CHECKSUM_BYTES);
    return said;
}

static bool
says_position(const struct ledger_position *position, const unsigned char *at, uint64_t version)
{
    if (memcmp(&position->id, at, SEGMENT_ID_BYTES) != 0)
        return false;
    if (version == 1)
        return position->identity.slot == UINT32_MAX && position->identity.incarnation == 0 &&
               position->identity.number == 0 && position->before == fuzz_get(at + 16, 8) &&
               position->after == position->before;
    return position->identity.slot == fuzz_get(at + 16, 4) &&
           position->identity.incarnation == fuzz_get(at + 24, 8) &&
           position->identity.number == fuzz_get(at + 32, 8) &&
           position->before == fuzz_get(at + 40, 8) && position->after == fuzz_get(at + 48, 8);
}

static bool
says(const struct ledger_state *state, const struct said *said)
{
    const unsigned char *at = said->header;
    if ((uint64_t)state->kind != fuzz_get(at + 56, 2) || !bytes_equal(state->name, said->name) ||
        state->mark.device != fuzz_get(at + 24, 8) || state->mark.inode != fuzz_get(at + 32, 8) ||
        state->mark.offset != fuzz_get(at + 40, 8) || state->mark.length != fuzz_get(at + 48, 8) ||
        state->batch_unknown != (said->version == 1 && state->mark.length != 0) ||
        state->position_count != said->position_count)
        return false;
    for (size_t i = 0; i < state->position_count; i++) {
        if (!says_position(&state->positions[i],
                           said->positions + i * position_bytes(said->version), said->version))
            return false;
    }
    return true;
}

/* ---- the file */

static void
put_file(const struct places *places)
{
    FUZZ_CHECK(ftruncate(file_fd, 0) == 0);
    for (unsigned i = 0; i < PLACES; i++) {
        const struct fuzz_image *place = &places->place[i];
        FUZZ_CHECK(pwrite(file_fd, place->bytes, place->size, (off_t)i * PLACE_BYTES) ==
                   (ssize_t)place->size);
    }
}

/* Reads the places from the file, as far as an input can have made them. */
static struct places
get_file(unsigned char to[PLACES][PLACE_CAPACITY])
{
    struct places places;
    memset(to, 0, PLACES * sizeof(*to));
    for (unsigned i = 0; i < PLACES; i++) {
        FUZZ_CHECK(pread(file_fd, to[i], PLACE_CAPACITY, (off_t)i * PLACE_BYTES) >= 0);
        places.place[i] = (struct fuzz_image){to[i], PLACE_CAPACITY, PLACE_CAPACITY};
    }
    return places;
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

/* What a block says: the first of its copies that is valid. */
static struct said
read_block(const struct places *places, unsigned block)
{
    struct said first = read_place(&places->place[block * COPIES]);
    return first.valid ? first : read_place(&places->place[block * COPIES + 1]);
}

/* What the block says that counts, of a file with these two. Of two with one generation the first
 * does. */
static struct said
newest(const struct places *places)
{
    struct said first = read_block(places, 0);
    struct said second = read_block(places, 1);
    return second.valid && (!first.valid || second.generation > first.generation) ? second : first;
}

/* Lets as far as `cut` the new bytes be there, of both copies, and then those sectors that the bits
 * of `sectors` say. */
static void
tear(struct places *new, const struct places *old, unsigned block, size_t cut, uint64_t sectors)
{
    for (unsigned copy = 0; copy < COPIES; copy++) {
        unsigned char *to = new->place[block * COPIES + copy].bytes;
        const unsigned char *from = old->place[block * COPIES + copy].bytes;
        for (size_t i = cut; i < PLACE_CAPACITY; i++) {
            if ((sectors >> (i / SECTOR_BYTES % 4 + 4 * copy) & 1) == 0)
                to[i] = from[i];
        }
    }
}

/* Writes something else into the ledger just opened, and reads it, whole and torn. */
static void
check_next_write(struct ledger **ledger, const struct said *before, struct fuzz_input *input)
{
    static unsigned char old_bytes[PLACES][PLACE_CAPACITY];
    static unsigned char new_bytes[PLACES][PLACE_CAPACITY];
    static struct ledger_position positions[POSITIONS_MAX];
    struct ledger_state state;
    const struct ledger_mark mark = {1, 2, 3, before->generation};
    size_t count = (size_t)fuzz_take(input, 2) % POSITIONS_MAX;
    uint64_t generation = before->generation;
    unsigned block = (unsigned)((generation + 1) % BLOCKS);
    struct places old = get_file(old_bytes);
    int result = ledger_write(*ledger, &mark, positions, count);
    ledger_close(ledger);
    FUZZ_CHECK(result == 0 && *ledger == NULL);
    struct places new = get_file(new_bytes);
    struct said after = newest(&new);
    FUZZ_CHECK(after.valid && after.version == 2 && after.generation == generation + 1);
    FUZZ_CHECK(fuzz_get(after.header + 48, 8) == generation);
    FUZZ_CHECK(open_existing(ledger, &state) == 0 && says(&state, &after));
    ledger_close(ledger);

    size_t cut = (size_t)fuzz_take(input, 2) % 256;
    uint64_t sectors = fuzz_take(input, 1);
    /* No writer leaves a second copy that is newer than what counts; a forger may. */
    struct said second = read_place(&old.place[block * COPIES + 1]);
    if (second.valid && second.generation > generation)
        return;
    tear(&new, &old, block, cut, sectors);
    put_file(&new);
    struct said torn = newest(&new);
    FUZZ_CHECK(torn.valid && (torn.generation == generation || torn.generation == generation + 1));
    FUZZ_CHECK(open_existing(ledger, &state) == 0 && says(&state, &torn));
    ledger_close(ledger);
}

/* Has the ledger just opened write again what it says. */
static void
check_rewrite(struct ledger *ledger, const struct said *before)
{
    static unsigned char bytes[PLACES][PLACE_CAPACITY];
    uint64_t total = fuzz_get(before->header + 12, 4);
    unsigned block = (unsigned)(before->generation % BLOCKS);
    FUZZ_CHECK(ledger_rewrite(ledger) == 0);
    struct places places = get_file(bytes);
    FUZZ_CHECK(newest(&places).generation == before->generation);
    for (unsigned copy = 0; copy < COPIES; copy++)
        FUZZ_CHECK(memcmp(bytes[block * COPIES + copy], before->header, total) == 0);
}

/* Whether the next write goes to the other block than the one that counts. A ledger that was
 * written and not forged is always so. */
static bool
is_in_turn(const struct places *places, const struct said *said)
{
    const struct fuzz_image *block = &places->place[said->generation % BLOCKS * COPIES];
    return (said->header == block[0].bytes || said->header == block[1].bytes) &&
           said->generation < UINT64_MAX;
}

/* Reads the places as a file. Returns what the one that counts says. */
static struct said
check_file(struct places *places, struct fuzz_input *input)
{
    struct ledger *ledger = NULL;
    struct ledger_state state;
    for (unsigned i = PLACES - 1; i > 0; i--) {
        if (places->place[i].size > 0)
            places->place[i - 1].size = PLACE_CAPACITY; /* a hole reads as zeros */
    }
    put_file(places);
    struct said expected = newest(places);
    check_open(&expected);
    for (int again = 0; again < 2; again++) {
        int result = open_existing(&ledger, &state);
        FUZZ_CHECK(result == (expected.valid ? 0 : -EBADMSG));
        FUZZ_CHECK((ledger != NULL) == expected.valid);
        if (expected.valid)
            FUZZ_CHECK(says(&state, &expected));
        if (expected.valid && again != 0 && is_in_turn(places, &expected)) {
            check_rewrite(ledger, &expected);
            check_next_write(&ledger, &expected, input);
        }
        ledger_close(&ledger);
    }
    return expected;
}

/* ---- forging */

/* Puts a place's checksum right; before that, as chosen, the magic and one version or the other,
 * the size to fit the counts, and the counts to fit the place. */
static void
mend(struct fuzz_image *place, uint64_t choices)
{
    unsigned char *at = place->bytes;
    if (place->size < HEADER_BYTES + CHECKSUM_BYTES)
        return;
    if ((choices & 1) == 0) {
        memcpy(at, "mygrpcld", 8);
        fuzz_put(at + 8, 4, (choices & 8) == 0 ? 2 : 1);
    }
    uint64_t version = fuzz_get(at + 8, 4);
    if ((choices & 2) == 0) {
        fuzz_put(at + 58, 2, fuzz_get(at + 58, 2) % (place->size / 2));
        fuzz_put(at + 60, 4,
                 fuzz_get(at + 60, 4) % (place->size / 2 / position_bytes(version) + 1));
    }
    if ((choices & 4) == 0)
        fuzz_put(at + 12, 4, record_bytes(version, fuzz_get(at + 58, 2), fuzz_get(at + 60, 4)));
    uint64_t total = fuzz_get(at + 12, 4);
    if (total >= CHECKSUM_BYTES && total <= place->size)
        fuzz_put(at + total - CHECKSUM_BYTES, 8, XXH3_64bits(at, total - CHECKSUM_BYTES));
}

static void
mend_all(struct places *places, uint64_t choices)
{
    for (unsigned i = 0; i < PLACES; i++)
        mend(&places->place[i], choices >> (4 * i));
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
        positions[i].identity = (struct segment_identity){(uint32_t)n, n << 8 | i, ~n};
        positions[i].before = ~(n * 1000 + i) - i % 5;
        positions[i].after = ~(n * 1000 + i);
    }
    return positions;
}

/* Whether that is what write `n` wrote; 0 is what a new ledger says. */
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
damage(struct places *places, struct fuzz_input *input)
{
    size_t damages = (size_t)fuzz_take(input, 1) % (DAMAGES_MAX + 1);
    for (size_t i = 0; i < damages; i++) {
        unsigned which = (unsigned)(fuzz_take(input, 1) % PLACES);
        size_t at = (size_t)fuzz_take(input, 2);
        at = at < 0x8000 ? at % ((size_t)2 * HEADER_BYTES) : at % PLACE_CAPACITY;
        fuzz_damage(&places->place[which], pristine[(which + COPIES) % PLACES], input, at);
    }
    uint64_t cut = fuzz_take(input, 2);
    if ((cut & 0x4000) != 0)
        return;
    unsigned which = (unsigned)(fuzz_take(input, 1) % PLACES);
    size_t size = (size_t)cut % PLACE_CAPACITY;
    places->place[which].size = size;
    memset(places->place[which].bytes + size, 0, PLACE_CAPACITY - size);
    for (unsigned i = which + 1; i < PLACES; i++) {
        places->place[i].size = 0; /* the file ends before it */
        memset(places->place[i].bytes, 0, PLACE_CAPACITY);
    }
}

/* Whether a block says what the writer wrote to it last, whatever was done to it. */
static bool
is_kept(const struct places *places, unsigned block)
{
    for (unsigned copy = 0; copy < COPIES; copy++) {
        unsigned i = block * COPIES + copy;
        uint64_t total = fuzz_get(pristine[i] + 12, 4);
        if (places->place[i].size >= total && memcmp(memory[i], pristine[i], total) == 0)
            return true;
        if (read_place(&places->place[i]).valid)
            return false; /* it is the other block's record by now */
    }
    return false;
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
    struct places places = get_file(memory);
    memcpy(pristine, memory, sizeof(pristine));
    uint64_t forging = fuzz_take(input, 1);
    damage(&places, input);
    if (forging % 4 == 3) {
        mend_all(&places, fuzz_take(input, 2));
        (void)check_file(&places, input);
        return;
    }
    /* Generations 1 and 2 are those of ledger_open(). */
    unsigned last = (unsigned)(writes % BLOCKS);
    bool last_is_kept = is_kept(&places, last);
    bool other_is_kept = is_kept(&places, 1 - last);
    struct said said = check_file(&places, input);
    bool is_last = is_write(&said, writes, counts[writes]);
    bool is_before = writes == 0 ? is_last : is_write(&said, writes - 1, counts[writes - 1]);
    FUZZ_CHECK(!said.valid || is_last || is_before);
    FUZZ_CHECK(!last_is_kept || is_last);
    FUZZ_CHECK(!other_is_kept || is_last || is_before);
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
    if (size > PLACE_CAPACITY)
        return 0;
    uint64_t choices = mode == MODE_FORGED ? fuzz_take(&input, 2) : 0;
    size_t sizes[PLACES];
    for (unsigned i = 0; i < PLACES; i++)
        sizes[i] = (size_t)fuzz_take(&input, 2);
    struct places places;
    memset(memory, 0, sizeof(memory));
    for (unsigned i = 0; i < PLACES; i++) {
        const uint8_t *bytes = fuzz_take_bytes(&input, sizes[i], &sizes[i]);
        if (sizes[i] > 0)
            memcpy(memory[i], bytes, sizes[i]);
        places.place[i] = (struct fuzz_image){memory[i], sizes[i], PLACE_CAPACITY};
    }
    if (mode == MODE_FORGED)
        mend_all(&places, choices);
    name_output(SEGMENT_FILE, 6);
    (void)check_file(&places, &input);
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
