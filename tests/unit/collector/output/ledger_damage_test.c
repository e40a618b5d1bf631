/* ledger_damage_test.c -- damage to one copy of a block changes nothing; damage to both leaves what
 * the other block says, and damage to both blocks is no ledger. */
#include "tests/unit/collector/output/ledger_fixture.h"

/* A ledger whose newest block holds write 2 with 3 positions, and its older one write 1 with 2. */
struct damaged {
    int fd;
    off_t newest_at;
    off_t older_at;
    size_t newest_bytes;
    size_t older_bytes;
};

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

/* Flips the same bits of both copies. */
static void
flip_both(const struct damaged *damaged, off_t at, unsigned char bits)
{
    flip(damaged, at, bits);
    flip(damaged, at + (off_t)LEDGER_COPY_BYTES, bits);
}

static void
flip_each_byte(const struct scratch *scratch, unsigned newest_block)
{
    static const unsigned char bits[] = {0x01, 0x80, 0xff};
    struct damaged damaged = make_two_writes(scratch, newest_block);
    for (size_t i = 0; i < sizeof(bits); i++) {
        for (size_t at = 0; at < damaged.newest_bytes; at++) {
            for (off_t copy = 0; copy < (off_t)LEDGER_COPIES; copy++) {
                off_t place = damaged.newest_at + copy * (off_t)LEDGER_COPY_BYTES + (off_t)at;
                flip(&damaged, place, bits[i]);
                expect_on_disk(scratch, small_name, 2, 3);
                flip(&damaged, place, bits[i]);
            }
        }
        for (size_t at = 0; at < damaged.older_bytes; at++) {
            flip_both(&damaged, damaged.older_at + (off_t)at, bits[i]);
            expect_on_disk(scratch, small_name, 2, 3);
            flip_both(&damaged, damaged.older_at + (off_t)at, bits[i]);
        }
    }
    expect_on_disk(scratch, small_name, 2, 3);
    (void)close(damaged.fd);
}

static void
test_a_flipped_byte_of_the_newest_block_loses_nothing(void **state)
{
    flip_each_byte(*state, 0);
    flip_each_byte(*state, 1);
}

static void
test_a_newest_block_without_a_whole_copy_leaves_the_older_one(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 1);
    for (size_t at = 0; at < damaged.newest_bytes; at++) {
        flip_both(&damaged, damaged.newest_at + (off_t)at, 0x10);
        expect_on_disk(scratch, small_name, 1, 2);
        flip_both(&damaged, damaged.newest_at + (off_t)at, 0x10);
    }
    (void)close(damaged.fd);
}

static void
test_after_falling_back_the_next_write_counts(void **state)
{
    const struct scratch *scratch = *state;
    for (unsigned block = 0; block < 2; block++) {
        struct damaged damaged = make_two_writes(scratch, block);
        flip_both(&damaged, damaged.newest_at + 30, 0xff);
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

/* To write again what a ledger says mends a damaged copy, and changes nothing else. */
static void
test_what_is_written_again_mends_the_damaged_copy(void **state)
{
    const struct scratch *scratch = *state;
    for (off_t copy = 0; copy < (off_t)LEDGER_COPIES; copy++) {
        struct damaged damaged = make_two_writes(scratch, 1);
        unsigned char whole[512];
        unsigned char mended[512];
        size_t bytes = damaged.newest_bytes;
        off_t place = damaged.newest_at + copy * (off_t)LEDGER_COPY_BYTES;
        assert_int_equal(pread(damaged.fd, whole, bytes, place), (ssize_t)bytes);
        struct ledger *ledger = open_ledger(scratch, small_name);
        flip(&damaged, place + 80, 0x04);
        assert_int_equal(ledger_rewrite(ledger), 0);
        assert_int_equal(pread(damaged.fd, mended, bytes, place), (ssize_t)bytes);
        assert_memory_equal(whole, mended, bytes);
        expect_on_disk(scratch, small_name, 2, 3);
        assert_int_equal(write_numbered(ledger, 3, 1), 0);
        expect_on_disk(scratch, small_name, 3, 1);
        ledger_remove(&ledger);
        (void)close(damaged.fd);
    }
}

/* Both copies are damaged while the ledger is open: it cannot say any more what it said. */
static void
test_what_was_damaged_meanwhile_is_not_written_again(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 1);
    struct ledger *ledger = open_ledger(scratch, small_name);
    flip_both(&damaged, damaged.newest_at + 80, 0x04);
    assert_int_equal(ledger_rewrite(ledger), -EBADMSG);
    flip_both(&damaged, damaged.newest_at + 80, 0x04);
    expect_on_disk(scratch, small_name, 2, 3);
    ledger_close(&ledger);
    (void)close(damaged.fd);
}

static void
put(const struct damaged *damaged, const unsigned char *bytes, size_t size, off_t copy)
{
    off_t at = damaged->newest_at + copy * (off_t)LEDGER_COPY_BYTES;
    assert_int_equal(pwrite(damaged->fd, bytes, size, at), (ssize_t)size);
}

/* A prefix of one write over the one before it, as a machine that stops leaves it: any prefix, of
 * the first copy and then of the second. */
static void
test_a_copy_half_overwritten_is_none(void **state)
{
    const struct scratch *scratch = *state;
    struct damaged damaged = make_two_writes(scratch, 1);
    unsigned char newest[512];
    unsigned char before[512];
    size_t bytes = small_record_bytes(3);
    assert_int_equal(pread(damaged.fd, before, bytes, damaged.newest_at), (ssize_t)bytes);
    struct ledger *ledger = open_ledger(scratch, small_name);
    assert_int_equal(write_numbered(ledger, 3, 3), 0);
    assert_int_equal(write_numbered(ledger, 4, 3), 0);
    ledger_close(&ledger);
    assert_int_equal(pread(damaged.fd, newest, bytes, damaged.newest_at), (ssize_t)bytes);
    put(&damaged, before, bytes, 1);
    for (size_t written = 0; written <= bytes; written++) {
        put(&damaged, before, bytes, 0);
        put(&damaged, newest, written, 0);
        bool whole =
            written >= bytes || memcmp(before + written, newest + written, bytes - written) == 0;
        expect_on_disk(scratch, small_name, whole ? 4 : 3, 3);
    }
    for (size_t written = 0; written <= bytes; written++) {
        put(&damaged, before, bytes, 1);
        put(&damaged, newest, written, 1);
        expect_on_disk(scratch, small_name, 4, 3);
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
    for (size_t left = damaged.newest_bytes; left-- > 0;) {
        off_t second = damaged.newest_at + (off_t)LEDGER_COPY_BYTES;
        assert_int_equal(ftruncate(damaged.fd, second + (off_t)left), 0);
        expect_on_disk(scratch, small_name, 2, 3); /* its first copy is there */
    }
    for (size_t left = 0; left < damaged.newest_bytes; left++) {
        assert_int_equal(ftruncate(damaged.fd, damaged.newest_at + (off_t)left), 0);
        expect_on_disk(scratch, small_name, 1, 2);
        put(&damaged, newest, damaged.newest_bytes, 0);
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
        flip_both(&damaged, damaged.newest_at + (off_t)at, 0x10);
        flip_both(&damaged, older_at, 0x10);
        expect_bad(scratch);
        flip_both(&damaged, damaged.newest_at + (off_t)at, 0x10);
        flip_both(&damaged, older_at, 0x10);
    }
    expect_on_disk(scratch, small_name, 2, 3);
    (void)close(damaged.fd);
}

static void
test_more_positions_than_a_copy_holds_are_refused(void **state)
{
    const struct scratch *scratch = *state;
    const size_t fit = (LEDGER_COPY_BYTES - HEADER_BYTES - 8 - CHECKSUM_BYTES) /
                       sizeof(struct ledger_position_on_disk);
    struct ledger_position *positions = calloc(fit + 1, sizeof(*positions));
    assert_non_null(positions);
    struct ledger *ledger = open_ledger(scratch, small_name);
    struct ledger_mark mark = mark_of(5);
    assert_int_equal(write_numbered(ledger, 4, 2), 0);
    assert_int_equal(ledger_write(ledger, &mark, positions, fit + 1), -E2BIG);
    expect_on_disk(scratch, small_name, 4, 2);
    /* The fullest record there is spoils no neighbour. */
    assert_int_equal(ledger_write(ledger, &mark, positions, fit), 0);
    assert_int_equal(write_numbered(ledger, 6, 3), 0);
    expect_on_disk(scratch, small_name, 6, 3);
    struct damaged damaged = {.fd = openat(scratch->fd, file_name_of(small_name), O_RDWR)};
    flip_both(&damaged, 70, 1);
    flip_both(&damaged, (off_t)LEDGER_BLOCK_BYTES + 70, 1);
    expect_bad(scratch);
    (void)close(damaged.fd);
    ledger_close(&ledger);
    free(positions);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_flipped_byte_of_the_newest_block_loses_nothing),
        TEST(test_a_newest_block_without_a_whole_copy_leaves_the_older_one),
        TEST(test_after_falling_back_the_next_write_counts),
        TEST(test_what_is_written_again_mends_the_damaged_copy),
        TEST(test_what_was_damaged_meanwhile_is_not_written_again),
        TEST(test_a_copy_half_overwritten_is_none),
        TEST(test_a_truncated_newest_block_leaves_the_older_one),
        TEST(test_truncation_of_the_older_block_keeps_the_newest),
        TEST(test_two_damaged_blocks_are_no_ledger),
        TEST(test_more_positions_than_a_copy_holds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
