/* ledger_test.c -- a ledger says what was written last, or what was written before: after a
 * reopening, damage to a block, a write cut short or a kill, and never a mixture of both. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "collector/output/ledger.h"

#define POSITIONS_MAX 8000U
#define HEADER_BYTES 64U
#define CHECKSUM_BYTES 8U

static const struct bytes small_name = {"logs/a", 6};

/* Write `n` of a test: everything in it follows from its number and its count of positions. */
static struct ledger_mark
mark_of(uint64_t n)
{
    return (struct ledger_mark){n * 3, ~n, n << 40 | n, n * n};
}

static const struct ledger_position *
positions_of(uint64_t n, size_t count)
{
    static struct ledger_position positions[POSITIONS_MAX];
    assert_true(count <= POSITIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        memset(&positions[i].id, (int)(n + i) & 0xff, sizeof(positions[i].id));
        le64_put(positions[i].id.bytes, n + i * 5);
        positions[i].offset = ~(n * 1000 + i);
    }
    return positions;
}

static int
write_numbered(struct ledger *ledger, uint64_t n, size_t count)
{
    struct ledger_mark mark = mark_of(n);
    return ledger_write(ledger, &mark, positions_of(n, count), count);
}

static bool
is_mark(const struct ledger_mark *a, const struct ledger_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->offset == b->offset &&
           a->length == b->length;
}

/* Whether the state is exactly that of write `n`; write 0 is a ledger just made. */
static bool
is_numbered(const struct ledger_state *said, uint64_t n, size_t count)
{
    static const struct ledger_mark nothing;
    struct ledger_mark mark = n == 0 ? nothing : mark_of(n);
    const struct ledger_position *positions = positions_of(n, count);
    if (!is_mark(&said->mark, &mark) || said->position_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&said->positions[i].id, &positions[i].id, sizeof(positions[i].id)) != 0 ||
            said->positions[i].offset != positions[i].offset)
            return false;
    }
    return true;
}

static bool
is_of(const struct ledger_state *said, enum segment_kind kind, struct bytes name)
{
    return said->kind == kind && bytes_equal(said->name, name);
}

static struct ledger *
open_ledger(const struct scratch *scratch, struct bytes name)
{
    struct ledger *ledger = NULL;
    assert_int_equal(ledger_open(&ledger, scratch->fd, SEGMENT_FILE, name, false, &(bool){false}),
                     0);
    assert_non_null(ledger);
    return ledger;
}

static const char *
file_name_of(struct bytes name)
{
    static char file_name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(file_name, SEGMENT_FILE, name);
    return file_name;
}

/* What the ledger of an output says to who opens it now: expects write `n`. */
static void
expect_on_disk(const struct scratch *scratch, struct bytes name, uint64_t n, size_t count)
{
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(name), &said), 0);
    assert_true(is_of(&said, SEGMENT_FILE, name));
    assert_true(is_numbered(&said, n, count));
    ledger_close(&ledger);
}

static void
round_trip(const struct scratch *scratch, struct bytes name, size_t count)
{
    struct ledger *ledger = open_ledger(scratch, name);
    expect_on_disk(scratch, name, 0, 0);
    assert_int_equal(write_numbered(ledger, 7, count), 0);
    expect_on_disk(scratch, name, 7, count);
    ledger_close(&ledger);
    assert_null(ledger);
    expect_on_disk(scratch, name, 7, count);

    ledger = open_ledger(scratch, name);
    expect_on_disk(scratch, name, 7, count); /* opening changes nothing */
    assert_int_equal(write_numbered(ledger, 8, count / 2), 0);
    ledger_close(&ledger);
    expect_on_disk(scratch, name, 8, count / 2);

    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(name), &said), 0);
    assert_int_equal(write_numbered(ledger, 9, count), 0); /* under the name it was read with */
    ledger_remove(&ledger);
    assert_null(ledger);
    assert_false(scratch_has(scratch, file_name_of(name)));
}

static void
test_what_is_written_is_read_after_reopening(void **state)
{
    char longest[4095];
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 200 == 199 ? '/' : (char)('a' + i % 26);
    const struct bytes names[] = {{"a", 1},         {"logs/2026/a.log", 15},   {"eightlong", 8},
                                  {"ninelong/", 9}, {"caf\xc3\xa9", 5},        {"with\0nul", 8},
                                  {NULL, 0},        {longest, sizeof(longest)}};
    static const size_t counts[] = {0, 1, 5000};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++)
            round_trip(*state, names[i], counts[j]);
    }
}

static void
test_a_new_ledger_is_settled_and_leaves_no_other_file(void **state)
{
    const struct scratch *scratch = *state;
    char temporary[LEDGER_NAME_BYTES_MAX + 8];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", file_name_of(small_name));
    char *rubbish = calloc(1, 100000);
    assert_non_null(rubbish);
    scratch_put(scratch, temporary, rubbish, 100000); /* of a collector killed while it made one */
    free(rubbish);
    struct ledger *ledger = open_ledger(scratch, small_name);
    ledger_close(&ledger);
    expect_on_disk(scratch, small_name, 0, 0);
    assert_false(scratch_has(scratch, temporary));
}

static void
test_the_newest_block_counts_however_often_it_is_written(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = open_ledger(scratch, small_name);
    for (uint64_t n = 1; n <= 40; n++) {
        size_t count = (size_t)(n * 13 % 50); /* longer and shorter than what stood there */
        assert_int_equal(write_numbered(ledger, n, count), 0);
        expect_on_disk(scratch, small_name, n, count);
        if (n % 7 == 0) {
            ledger_close(&ledger);
            ledger = open_ledger(scratch, small_name);
        }
    }
    ledger_close(&ledger);
}

static void
test_kinds_and_names_have_ledgers_of_their_own(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledgers[3] = {NULL, NULL, NULL};
    const struct bytes empty = {NULL, 0};
    assert_int_equal(
        ledger_open(&ledgers[0], scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false}), 0);
    assert_int_equal(ledger_open(&ledgers[1], scratch->fd, SEGMENT_STANDARD_OUTPUT, empty, false,
                                 &(bool){false}),
                     0);
    assert_int_equal(
        ledger_open(&ledgers[2], scratch->fd, SEGMENT_FILE, empty, false, &(bool){false}), 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(write_numbered(ledgers[i], i + 1, 2), 0);
    for (size_t i = 0; i < 3; i++)
        ledger_close(&ledgers[i]);
    expect_on_disk(scratch, small_name, 1, 2);
    expect_on_disk(scratch, empty, 3, 2);

    char name[LEDGER_NAME_BYTES_MAX];
    struct ledger_state said;
    ledger_name_format(name, SEGMENT_STANDARD_OUTPUT, empty);
    assert_int_equal(ledger_open_existing(&ledgers[0], scratch->fd, name, &said), 0);
    assert_true(is_of(&said, SEGMENT_STANDARD_OUTPUT, empty));
    assert_true(is_numbered(&said, 2, 2));
    ledger_close(&ledgers[0]);
}

static void
test_another_outputs_ledger_under_the_name_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = open_ledger(scratch, small_name);
    ledger_close(&ledger);
    char other[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(other, SEGMENT_FILE, (struct bytes){"logs/b", 6});
    assert_int_equal(renameat(scratch->fd, file_name_of(small_name), scratch->fd, other), 0);
    bool created;
    assert_int_equal(ledger_open(&ledger, scratch->fd, SEGMENT_FILE, (struct bytes){"logs/b", 6},
                                 false, &created),
                     -EEXIST);
    assert_null(ledger);
}

/* ---- damage */

/* A ledger whose newest block holds write 2 with 3 positions, and its older one write 1 with 2. */
struct damaged {
    int fd;
    off_t newest_at;
    off_t older_at;
    size_t newest_bytes;
    size_t older_bytes;
};

static size_t
small_record_bytes(size_t count)
{
    return HEADER_BYTES + 8 + count * sizeof(struct ledger_position) + CHECKSUM_BYTES;
}

/* `newest_block` says in which block the newest is to stand. */
static struct damaged
make_two_writes(const struct scratch *scratch, unsigned newest_block)
{
    struct ledger *ledger = open_ledger(scratch, small_name);
    struct damaged damaged = {.newest_at = newest_block == 0 ? 0 : LEDGER_BLOCK_BYTES,
                              .older_at = newest_block == 0 ? LEDGER_BLOCK_BYTES : 0,
                              .newest_bytes = small_record_bytes(3),
                              .older_bytes = small_record_bytes(2)};
    damaged.fd = openat(scratch->fd, file_name_of(small_name), O_RDWR | O_CLOEXEC);
    assert_true(damaged.fd >= 0);
    unsigned char generation[8];
    assert_int_equal(pread(damaged.fd, generation, 8, 16), 8);
    uint64_t first = le64_get(generation);
    assert_int_equal(pread(damaged.fd, generation, 8, 16 + (off_t)LEDGER_BLOCK_BYTES), 8);
    unsigned newest = le64_get(generation) > first ? 1 : 0;
    if (newest != newest_block)
        assert_int_equal(write_numbered(ledger, 99, 1), 0);
    assert_int_equal(write_numbered(ledger, 1, 2), 0);
    assert_int_equal(write_numbered(ledger, 2, 3), 0);
    ledger_close(&ledger);
    expect_on_disk(scratch, small_name, 2, 3);
    return damaged;
}

static void
flip(const struct damaged *damaged, off_t at, unsigned char bits)
{
    unsigned char byte;
    assert_int_equal(pread(damaged->fd, &byte, 1, at), 1);
    byte = (unsigned char)(byte ^ bits);
    assert_int_equal(pwrite(damaged->fd, &byte, 1, at), 1);
}

static void
flip_each_byte(const struct scratch *scratch, unsigned newest_block)
{
    static const unsigned char bits[] = {0x01, 0x80, 0xff};
    struct damaged damaged = make_two_writes(scratch, newest_block);
    for (size_t i = 0; i < sizeof(bits); i++) {
        for (size_t at = 0; at < damaged.newest_bytes; at++) {
            flip(&damaged, damaged.newest_at + (off_t)at, bits[i]);
            expect_on_disk(scratch, small_name, 1, 2);
            flip(&damaged, damaged.newest_at + (off_t)at, bits[i]);
        }
        for (size_t at = 0; at < damaged.older_bytes; at++) {
            flip(&damaged, damaged.older_at + (off_t)at, bits[i]);
            expect_on_disk(scratch, small_name, 2, 3);
            flip(&damaged, damaged.older_at + (off_t)at, bits[i]);
        }
    }
    expect_on_disk(scratch, small_name, 2, 3);
    (void)close(damaged.fd);
}

static void
test_a_flipped_byte_of_the_newest_block_leaves_the_older_one(void **state)
{
    flip_each_byte(*state, 0);
    flip_each_byte(*state, 1);
}

static void
test_after_falling_back_the_next_write_counts(void **state)
{
    const struct scratch *scratch = *state;
    for (unsigned block = 0; block < 2; block++) {
        struct damaged damaged = make_two_writes(scratch, block);
        flip(&damaged, damaged.newest_at + 30, 0xff);
        struct ledger *ledger = open_ledger(scratch, small_name);
        expect_on_disk(scratch, small_name, 1, 2);
        for (uint64_t n = 3; n < 8; n++) {
            assert_int_equal(write_numbered(ledger, n, 4), 0);
            expect_on_disk(scratch, small_name, n, 4);
        }
        ledger_remove(&ledger);
        (void)close(damaged.fd);
    }
}

/* A prefix of one write over the one before it, as a machine that stops leaves it: any prefix. */
static void
test_a_block_half_overwritten_is_no_block(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 1);
    unsigned char newest[512];
    unsigned char before[512];
    size_t bytes = small_record_bytes(3);
    assert_int_equal(pread(damaged.fd, newest, bytes, damaged.newest_at), (ssize_t)bytes);
    struct ledger *ledger = open_ledger(scratch, small_name);
    assert_int_equal(write_numbered(ledger, 3, 3), 0);
    assert_int_equal(write_numbered(ledger, 4, 3), 0);
    ledger_close(&ledger);
    memcpy(before, newest, bytes);
    assert_int_equal(pread(damaged.fd, newest, bytes, damaged.newest_at), (ssize_t)bytes);
    for (size_t written = 0; written <= bytes; written++) {
        assert_int_equal(pwrite(damaged.fd, before, bytes, damaged.newest_at), (ssize_t)bytes);
        assert_int_equal(pwrite(damaged.fd, newest, written, damaged.newest_at), (ssize_t)written);
        bool whole =
            written >= bytes || memcmp(before + written, newest + written, bytes - written) == 0;
        expect_on_disk(scratch, small_name, whole ? 4 : 3, 3);
    }
    (void)close(damaged.fd);
}

static void
expect_bad(const struct scratch *scratch)
{
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(small_name), &said),
                     -EBADMSG);
    assert_null(ledger);
    assert_int_equal(
        ledger_open(&ledger, scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false}),
        -EBADMSG);
    assert_null(ledger);
    assert_true(scratch_has(scratch, file_name_of(small_name)));
}

static void
test_a_truncated_newest_block_leaves_the_older_one(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 1);
    unsigned char newest[512];
    assert_int_equal(pread(damaged.fd, newest, damaged.newest_bytes, damaged.newest_at),
                     (ssize_t)damaged.newest_bytes);
    for (size_t left = 0; left < damaged.newest_bytes; left++) {
        assert_int_equal(ftruncate(damaged.fd, damaged.newest_at + (off_t)left), 0);
        expect_on_disk(scratch, small_name, 1, 2);
        assert_int_equal(pwrite(damaged.fd, newest, damaged.newest_bytes, damaged.newest_at),
                         (ssize_t)damaged.newest_bytes);
        expect_on_disk(scratch, small_name, 2, 3);
    }
    (void)close(damaged.fd);
}

static void
test_truncation_of_the_older_block_keeps_the_newest(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 0);
    for (size_t left = damaged.older_bytes; left-- > 0;) {
        assert_int_equal(ftruncate(damaged.fd, damaged.older_at + (off_t)left), 0);
        expect_on_disk(scratch, small_name, 2, 3);
    }
    assert_int_equal(ftruncate(damaged.fd, (off_t)damaged.newest_bytes), 0);
    expect_on_disk(scratch, small_name, 2, 3);
    for (size_t left = damaged.newest_bytes; left-- > 0;) {
        assert_int_equal(ftruncate(damaged.fd, (off_t)left), 0);
        expect_bad(scratch);
    }
    (void)close(damaged.fd);
}

static void
test_two_damaged_blocks_are_no_ledger(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 1);
    for (size_t at = 0; at < damaged.newest_bytes; at++) {
        off_t older_at = damaged.older_at + (off_t)(at % damaged.older_bytes);
        flip(&damaged, damaged.newest_at + (off_t)at, 0x10);
        flip(&damaged, older_at, 0x10);
        expect_bad(scratch);
        flip(&damaged, damaged.newest_at + (off_t)at, 0x10);
        flip(&damaged, older_at, 0x10);
    }
    expect_on_disk(scratch, small_name, 2, 3);
    (void)close(damaged.fd);
}

/* ---- files that are no ledger */

static void
test_what_is_no_ledger_file_is_refused_at_once(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-missing", &said), -ENOENT);
    scratch_put(scratch, "ledger-empty", "", 0);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-empty", &said), -EBADMSG);
    scratch_put(scratch, "ledger-text", "mygrpcld and more", 17);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-text", &said), -EBADMSG);
    assert_int_equal(symlinkat("ledger-text", scratch->fd, "ledger-link"), 0);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-link", &said), -ELOOP);
    assert_int_equal(mkdirat(scratch->fd, "ledger-directory", 0700), 0);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-directory", &said),
                     -EISDIR);
    assert_int_equal(mkfifoat(scratch->fd, "ledger-fifo", 0600), 0);
    (void)alarm(10); /* a FIFO must not make it wait */
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-fifo", &said), -EBADMSG);
    (void)alarm(0);
    assert_null(ledger);
}

static void
test_a_ledgers_name_is_exact(void **state)
{
    (void)state;
    assert_true(ledger_name_is("ledger-0123456789abcdef0123456789abcdef"));
    static const char *const strangers[] = {"",
                                            "ledger",
                                            "ledger-",
                                            "ledger-0123456789abcdef0123456789abcde",
                                            "ledger-0123456789abcdef0123456789abcdef0",
                                            "ledger-0123456789abcdef0123456789abcdeg",
                                            "ledger-0123456789ABCDEF0123456789ABCDEF",
                                            "ledger-0123456789abcdef0123456789abcdef.new",
                                            "ledger-0123456789abcdef0123456789abcdef ",
                                            "ledger-0123456789abcdef0123456789abcde\n",
                                            " ledger-0123456789abcdef0123456789abcdef",
                                            "Ledger-0123456789abcdef0123456789abcdef",
                                            "ledger_0123456789abcdef0123456789abcdef",
                                            "0123456789abcdef0123456789abcdef",
                                            "ledger-+123456789abcdef0123456789abcdef",
                                            "ledger-0x23456789abcdef0123456789abcdef",
                                            "00003-0000000017-0000000002.open"};
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        assert_false(ledger_name_is(strangers[i]));
}

static void
test_each_output_has_a_name_of_its_own(void **state)
{
    (void)state;
    char names[4][LEDGER_NAME_BYTES_MAX];
    ledger_name_format(names[0], SEGMENT_FILE, small_name);
    ledger_name_format(names[1], SEGMENT_STANDARD_OUTPUT, small_name);
    ledger_name_format(names[2], SEGMENT_FILE, (struct bytes){"logs/b", 6});
    ledger_name_format(names[3], SEGMENT_FILE, (struct bytes){NULL, 0});
    for (size_t i = 0; i < 4; i++) {
        assert_true(ledger_name_is(names[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(names[0], file_name_of(small_name)); /* the same at any time */
}

static void
test_remove_and_close_accept_nothing_and_the_gone(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = NULL;
    ledger_close(&ledger);
    ledger_remove(&ledger);
    ledger = open_ledger(scratch, small_name);
    assert_int_equal(unlinkat(scratch->fd, file_name_of(small_name), 0), 0);
    ledger_remove(&ledger);
    assert_null(ledger);
    ledger = open_ledger(scratch, small_name); /* a new one, as if there had been none */
    expect_on_disk(scratch, small_name, 0, 0);
    ledger_remove(&ledger);
    assert_false(scratch_has(scratch, file_name_of(small_name)));
}

/* ---- writes that fail */

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    (void)signal(SIGXFSZ, bytes == limit.rlim_max ? SIG_DFL : SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
unlimit_file_size(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit_file_size(limit.rlim_max);
}

/* The volume takes only `room` bytes of each write into block 1. */
static void
write_with_room(const struct scratch *scratch, struct ledger *ledger, rlim_t room)
{
    assert_int_equal(write_numbered(ledger, 1, 2), 0);
    assert_int_equal(write_numbered(ledger, 2, 3), 0);
    limit_file_size(LEDGER_BLOCK_BYTES + room);
    int first = write_numbered(ledger, 3, 30);
    int second = first == 0 ? write_numbered(ledger, 4, 30) : 0;
    int again = write_numbered(ledger, 5, 30);
    unlimit_file_size();
    assert_true(first < 0 || second < 0); /* the one that went to block 1 */
    assert_true(again < 0);
    expect_on_disk(scratch, small_name, first == 0 ? 3 : 2, first == 0 ? 30 : 3);
    assert_int_equal(write_numbered(ledger, 6, 4), 0);
    expect_on_disk(scratch, small_name, 6, 4);
}

static void
test_a_write_that_is_cut_short_leaves_what_was_said(void **state)
{
    struct ledger *ledger = open_ledger(*state, small_name);
    for (rlim_t room = 0; room < small_record_bytes(30); room += 37)
        write_with_room(*state, ledger, room);
    ledger_close(&ledger);
}

static void
test_a_ledger_that_cannot_be_made_leaves_nothing(void **state)
{
    const struct scratch *scratch = *state;
    static const rlim_t rooms[] = {0, 50, 4096, LEDGER_BLOCK_BYTES, LEDGER_BLOCK_BYTES + 60};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        struct ledger *ledger = NULL;
        limit_file_size(rooms[i]);
        int result =
            ledger_open(&ledger, scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false});
        unlimit_file_size();
        assert_true(result < 0);
        assert_null(ledger);
        assert_int_equal(rmdir(scratch->path), 0); /* it is empty */
        assert_int_equal(mkdir(scratch->path, 0700), 0);
        (void)close(scratch->fd);
        ((struct scratch *)*state)->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(scratch->fd >= 0);
    }
}

static void
test_more_positions_than_a_block_holds_are_refused(void **state)
{
    const struct scratch *scratch = *state;
    const size_t fit = (LEDGER_BLOCK_BYTES - HEADER_BYTES - 8 - CHECKSUM_BYTES) / 24;
    struct ledger_position *positions = calloc(fit + 1, sizeof(*positions));
    assert_non_null(positions);
    struct ledger *ledger = open_ledger(scratch, small_name);
    struct ledger_mark mark = mark_of(5);
    assert_int_equal(write_numbered(ledger, 4, 2), 0);
    assert_int_equal(ledger_write(ledger, &mark, positions, fit + 1), -E2BIG);
    expect_on_disk(scratch, small_name, 4, 2);
    assert_int_equal(ledger_write(ledger, &mark, positions, fit),
                     0);                               /* the fullest block there is */
    assert_int_equal(write_numbered(ledger, 6, 3), 0); /* spoils no neighbour */
    expect_on_disk(scratch, small_name, 6, 3);
    struct damaged damaged = {.fd = openat(scratch->fd, file_name_of(small_name), O_RDWR)};
    flip(&damaged, 70, 1);
    flip(&damaged, (off_t)LEDGER_BLOCK_BYTES + 70, 1);
    expect_bad(scratch);
    flip(&damaged, 70, 1);
    flip(&damaged, (off_t)LEDGER_BLOCK_BYTES + 70, 1);
    (void)close(damaged.fd);
    ledger_close(&ledger);
    free(positions);
}

/* ---- kills */

/* How many positions write `n` of the kill test has: enough to take some time. */
static size_t
count_of(uint64_t n)
{
    return n == 0 ? 0 : (size_t)(n * 997 % POSITIONS_MAX);
}

static pid_t
start_writer(const struct scratch *scratch, _Atomic uint64_t *written)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    struct ledger *ledger = NULL;
    if (ledger_open(&ledger, scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false}) != 0)
        _exit(1);
    for (uint64_t n = atomic_load(written) + 1;; n++) {
        if (write_numbered(ledger, n, count_of(n)) != 0)
            _exit(1);
        atomic_store(written, n);
    }
}

/* The write the ledger holds: the last acknowledged, or the one the kill came into. */
static uint64_t
expect_last_write(const struct scratch *scratch, uint64_t acknowledged)
{
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(small_name), &said),
                     0);
    assert_true(is_of(&said, SEGMENT_FILE, small_name));
    uint64_t found = acknowledged;
    if (!is_numbered(&said, found, count_of(found)))
        found++;
    assert_true(is_numbered(&said, found, count_of(found)));
    ledger_close(&ledger);
    return found;
}

static void
test_a_killed_writer_leaves_its_last_write_or_the_one_under_way(void **state)
{
    _Atomic uint64_t *written =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(written != MAP_FAILED);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t begun = atomic_load(written);
        int status = 0;
        pid_t child = start_writer(*state, written);
        while (atomic_load(written) < begun + 1 + round % 5)
            assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        (void)usleep(round * 611 % 2500);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        atomic_store(written, expect_last_write(*state, atomic_load(written)));
    }
    (void)munmap((void *)(uintptr_t)written, 4096);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_read_after_reopening),
        TEST(test_a_new_ledger_is_settled_and_leaves_no_other_file),
        TEST(test_the_newest_block_counts_however_often_it_is_written),
        TEST(test_kinds_and_names_have_ledgers_of_their_own),
        TEST(test_another_outputs_ledger_under_the_name_is_refused),
        TEST(test_a_flipped_byte_of_the_newest_block_leaves_the_older_one),
        TEST(test_after_falling_back_the_next_write_counts),
        TEST(test_a_block_half_overwritten_is_no_block),
        TEST(test_a_truncated_newest_block_leaves_the_older_one),
        TEST(test_truncation_of_the_older_block_keeps_the_newest),
        TEST(test_two_damaged_blocks_are_no_ledger),
        TEST(test_what_is_no_ledger_file_is_refused_at_once),
        TEST(test_a_ledgers_name_is_exact),
        TEST(test_each_output_has_a_name_of_its_own),
        TEST(test_remove_and_close_accept_nothing_and_the_gone),
        TEST(test_a_write_that_is_cut_short_leaves_what_was_said),
        TEST(test_a_ledger_that_cannot_be_made_leaves_nothing),
        TEST(test_more_positions_than_a_block_holds_are_refused),
        TEST(test_a_killed_writer_leaves_its_last_write_or_the_one_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
