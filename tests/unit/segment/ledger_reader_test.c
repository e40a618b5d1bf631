/* ledger_reader_test.c -- which of a ledger's blocks counts, and that one damaged copy of a block
 * changes nothing. */
#include "tests/unit/scratch.h"

#include <xxhash.h>

#include "segment/ledger_reader.h"

#define RECORD_BYTES 136U /* 64 of header, 8 of name, 56 of the position, 8 of checksum */

/* Writes a record of that generation to one copy of a block. */
static void
put_copy(const struct scratch *scratch, uint64_t generation, unsigned block, unsigned copy)
{
    static _Alignas(8) unsigned char record[RECORD_BYTES];
    const struct ledger_position position = {.id = {"ABCDEFGHIJKLMNOP"}, .before = generation};
    const struct ledger_state said = {.generation = generation,
                                      .kind = SEGMENT_FILE,
                                      .name = {"logs/a", 6},
                                      .positions = &position,
                                      .position_count = 1};
    assert_int_equal(ledger_record_bytes(6, 1), RECORD_BYTES);
    ledger_record_encode(record, &said);
    int fd = openat(scratch->fd, "ledger", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, record, RECORD_BYTES, ledger_copy_offset(block, copy)),
                     RECORD_BYTES);
    (void)close(fd);
}

static void
put_block(const struct scratch *scratch, uint64_t generation, unsigned block)
{
    put_copy(scratch, generation, block, 0);
    put_copy(scratch, generation, block, 1);
}

static void
flip(const struct scratch *scratch, unsigned block, unsigned copy, size_t at)
{
    unsigned char byte;
    off_t place = ledger_copy_offset(block, copy) + (off_t)at;
    int fd = openat(scratch->fd, "ledger", O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, place), 1);
    byte = (unsigned char)(byte ^ 0x20);
    assert_int_equal(pwrite(fd, &byte, 1, place), 1);
    (void)close(fd);
}

static void
expect_newest(const struct scratch *scratch, unsigned block, uint64_t generation, int fault_0,
              int fault_1)
{
    struct ledger_record record = {0};
    struct ledger_state said;
    int faults[LEDGER_BLOCKS];
    int fd = openat(scratch->fd, "ledger", O_RDONLY | O_CLOEXEC);
    assert_int_equal(ledger_record_read_newest(&record, fd, faults), block);
    assert_int_equal(faults[0], fault_0);
    assert_int_equal(faults[1], fault_1);
    assert_int_equal(record.size, block == LEDGER_BLOCKS ? 0 : RECORD_BYTES);
    if (block != LEDGER_BLOCKS) {
        assert_int_equal(ledger_record_state(&record, &said), 0);
        assert_int_equal(said.generation, generation);
        assert_int_equal(said.positions[0].before, generation);
    }
    ledger_record_clear(&record);
    (void)close(fd);
}

static void
test_the_higher_generation_counts_in_whichever_block(void **state)
{
    const struct scratch *scratch = *state;
    scratch_put(scratch, "ledger", "", 0);
    expect_newest(scratch, LEDGER_BLOCKS, 0, -EBADMSG, -EBADMSG);
    put_block(scratch, 5, 1);
    expect_newest(scratch, 1, 5, -EBADMSG, 0);
    put_block(scratch, 4, 0);
    expect_newest(scratch, 1, 5, 0, 0);
    put_block(scratch, 6, 0);
    expect_newest(scratch, 0, 6, 0, 0);
    put_block(scratch, 6, 1);
    expect_newest(scratch, 0, 6, 0, 0); /* of equals the first */
}

static void
test_one_damaged_copy_changes_nothing(void **state)
{
    const struct scratch *scratch = *state;
    put_block(scratch, 4, 0);
    put_block(scratch, 5, 1);
    for (unsigned copy = 0; copy < LEDGER_COPIES; copy++) {
        for (size_t at = 0; at < RECORD_BYTES; at++) {
            flip(scratch, 0, copy, at);
            flip(scratch, 1, copy, at);
            expect_newest(scratch, 1, 5, 0, 0);
            flip(scratch, 0, copy, at);
            flip(scratch, 1, copy, at);
        }
    }
}

static void
test_a_block_of_which_both_copies_are_damaged_leaves_the_other_block(void **state)
{
    const struct scratch *scratch = *state;
    put_block(scratch, 4, 0);
    put_block(scratch, 5, 1);
    for (size_t at = 0; at < RECORD_BYTES; at++) {
        flip(scratch, 1, 0, at);
        flip(scratch, 1, 1, RECORD_BYTES - 1 - at);
        expect_newest(scratch, 0, 4, 0, -EBADMSG);
        flip(scratch, 0, 0, at);
        flip(scratch, 0, 1, at);
        expect_newest(scratch, LEDGER_BLOCKS, 0, -EBADMSG, -EBADMSG);
        flip(scratch, 0, 0, at);
        flip(scratch, 0, 1, at);
        flip(scratch, 1, 0, at);
        flip(scratch, 1, 1, RECORD_BYTES - 1 - at);
    }
}

/* As a writer leaves a block that is killed between the two copies: the first one counts. */
static void
test_of_two_whole_copies_the_first_counts(void **state)
{
    const struct scratch *scratch = *state;
    put_block(scratch, 4, 0);
    put_block(scratch, 3, 1);
    put_copy(scratch, 5, 1, 0);
    expect_newest(scratch, 1, 5, 0, 0);
    flip(scratch, 1, 0, 50); /* then the second says what stood there before */
    expect_newest(scratch, 0, 4, 0, 0);
}

/* A file of one copy, as version 1 has it: the record of another length is read as well. */
static void
test_a_block_of_version_1_has_one_copy(void **state)
{
    const struct scratch *scratch = *state;
    _Alignas(8) unsigned char record[72 + 24 + 8] = "mygrpcld";
    struct ledger_record read = {0};
    struct ledger_state said;
    le32_put(record + 8, 1);
    le32_put(record + 12, sizeof(record));
    le64_put(record + 16, 9);
    le16_put(record + 56, SEGMENT_FILE);
    le16_put(record + 58, 6);
    le32_put(record + 60, 1);
    memcpy(record + 64, "logs/a", 6);
    memset(record + 72, 'A', 16);
    le64_put(record + 88, 4242);
    le64_put(record + sizeof(record) - 8, XXH3_64bits(record, sizeof(record) - 8));
    scratch_put(scratch, "ledger", record, sizeof(record));
    int fd = openat(scratch->fd, "ledger", O_RDONLY | O_CLOEXEC);
    assert_int_equal(ledger_record_read(&read, fd, 1), -EBADMSG);
    assert_int_equal(ledger_record_read(&read, fd, 0), 0);
    assert_int_equal(ledger_record_state(&read, &said), 0);
    assert_int_equal(said.generation, 9);
    assert_int_equal(said.positions[0].before, 4242);
    assert_int_equal(said.positions[0].identity.slot, LEDGER_SLOT_UNKNOWN);
    assert_false(said.batch_unknown);
    ledger_record_clear(&read);
    (void)close(fd);
}

/* What cannot be read is not taken for damage: the record that counts may be in it. */
static void
test_a_block_that_cannot_be_read_is_told_apart_from_a_damaged_one(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger_record record = {0};
    int faults[LEDGER_BLOCKS];
    put_block(scratch, 4, 0);
    int fd = openat(scratch->fd, "ledger", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ledger_record_read_newest(&record, fd, faults), LEDGER_BLOCKS);
    assert_int_equal(faults[0], -EBADF);
    assert_int_equal(faults[1], -EBADF);
    ledger_record_clear(&record);
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_higher_generation_counts_in_whichever_block),
        TEST(test_one_damaged_copy_changes_nothing),
        TEST(test_a_block_of_which_both_copies_are_damaged_leaves_the_other_block),
        TEST(test_of_two_whole_copies_the_first_counts),
        TEST(test_a_block_of_version_1_has_one_copy),
        TEST(test_a_block_that_cannot_be_read_is_told_apart_from_a_damaged_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
