/* ledger_format_test.c -- the bytes of a ledger's record, one by one, and what is no record. */
#include "tests/unit/scratch.h"

#include <xxhash.h>

#include "segment/ledger_format.h"
#include "segment/ledger_reader.h"

#define NAME_BYTES 6U
#define POSITIONS 2U
#define RECORD_BYTES 128U /* 64 of header, 8 of name, 48 of positions, 8 of checksum */

static const struct ledger_position positions[POSITIONS] = {
    {{"ABCDEFGHIJKLMNOP"}, 0x1112131415161718},
    {{"abcdefghijklmnop"}, 0x2122232425262728},
};

static const struct ledger_state sample = {
    .generation = 0x0102030405060708,
    .kind = SEGMENT_FILE,
    .name = {"logs/a", NAME_BYTES},
    .mark = {0x3132333435363738, 0x4142434445464748, 0x5152535455565758, 0x6162636465666768},
    .positions = positions,
    .position_count = POSITIONS,
};

/* As version 1 has stood on disks since the first release, but for the checksum. */
static const char expected[RECORD_BYTES - 8 + 1] = "mygrpcld"
                                                   "\x01\0\0\0"
                                                   "\x80\0\0\0"
                                                   "\x08\x07\x06\x05\x04\x03\x02\x01"
                                                   "\x38\x37\x36\x35\x34\x33\x32\x31"
                                                   "\x48\x47\x46\x45\x44\x43\x42\x41"
                                                   "\x58\x57\x56\x55\x54\x53\x52\x51"
                                                   "\x68\x67\x66\x65\x64\x63\x62\x61"
                                                   "\x02\0"
                                                   "\x06\0"
                                                   "\x02\0\0\0"
                                                   "logs/a\0\0"
                                                   "ABCDEFGHIJKLMNOP"
                                                   "\x18\x17\x16\x15\x14\x13\x12\x11"
                                                   "abcdefghijklmnop"
                                                   "\x28\x27\x26\x25\x24\x23\x22\x21";

/* Encodes the sample; the bytes are aligned as a record must be. */
static unsigned char *
encoded(void)
{
    static _Alignas(8) unsigned char record[RECORD_BYTES];
    assert_int_equal(ledger_record_bytes(NAME_BYTES, POSITIONS), RECORD_BYTES);
    memset(record, 0xee, sizeof(record));
    ledger_record_encode(record, &sample);
    return record;
}

static void
mend_checksum(unsigned char *record)
{
    le64_put(record + RECORD_BYTES - 8, XXH3_64bits(record, RECORD_BYTES - 8));
}

static void
test_every_byte_stands_where_it_stood(void **state)
{
    (void)state;
    const unsigned char *record = encoded();
    assert_memory_equal(record, expected, RECORD_BYTES - 8);
    assert_int_equal(le64_get(record + RECORD_BYTES - 8), XXH3_64bits(expected, RECORD_BYTES - 8));
}

static void
test_what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct ledger_state said;
    unsigned char *record = encoded();
    assert_true(ledger_record_is_whole(record, RECORD_BYTES));
    assert_int_equal(ledger_record_generation(record), sample.generation);
    ledger_record_decode(&said, record);
    assert_int_equal(said.generation, sample.generation);
    assert_int_equal(said.kind, sample.kind);
    assert_true(bytes_equal(said.name, sample.name));
    assert_memory_equal(&said.mark, &sample.mark, sizeof(said.mark));
    assert_int_equal(said.position_count, POSITIONS);
    assert_memory_equal(said.positions, positions, sizeof(positions));
}

static void
test_a_settled_record_says_all_else_as_before(void **state)
{
    (void)state;
    struct ledger_state said;
    unsigned char *record = encoded();
    ledger_record_settle(record, sample.generation + 1);
    assert_true(ledger_record_is_whole(record, RECORD_BYTES));
    ledger_record_decode(&said, record);
    assert_int_equal(said.generation, sample.generation + 1);
    assert_int_equal(said.mark.length, 0);
    assert_int_equal(said.mark.device, sample.mark.device);
    assert_int_equal(said.mark.inode, sample.mark.inode);
    assert_int_equal(said.mark.offset, sample.mark.offset);
    assert_true(bytes_equal(said.name, sample.name));
    assert_memory_equal(said.positions, positions, sizeof(positions));
}

/* Fields that would lead out of the record, each with a checksum that is right. */
static void
test_what_is_inconsistent_is_no_record(void **state)
{
    static const struct {
        size_t at;
        unsigned char byte;
    } changes[] = {{0, 'M'}, {8, 0},   {8, 2},     {11, 1}, {12, 0x88},
                   {15, 1},  {58, 16}, {59, 0x10}, {60, 3}, {63, 0xff}};
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        unsigned char *record = encoded();
        record[changes[i].at] = changes[i].byte;
        mend_checksum(record);
        assert_int_equal(ledger_header_judge((const void *)record), 0);
        assert_false(ledger_record_is_whole(record, RECORD_BYTES));
    }
    const unsigned char *record = encoded();
    assert_false(ledger_record_is_whole(record, RECORD_BYTES - 8));
    assert_false(ledger_record_is_whole(record, RECORD_BYTES + 8));
    assert_false(ledger_record_is_whole(record, 8));
}

static void
test_a_flipped_bit_anywhere_is_seen(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < RECORD_BYTES * (size_t)8; bit++) {
        unsigned char *record = encoded();
        record[bit / 8] = (unsigned char)(record[bit / 8] ^ 1U << bit % 8);
        assert_false(ledger_record_is_whole(record, RECORD_BYTES));
    }
}

static void
put_record(const struct scratch *scratch, uint64_t generation, unsigned block)
{
    unsigned char *record = encoded();
    ledger_record_settle(record, generation);
    int fd = openat(scratch->fd, "ledger", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, record, RECORD_BYTES, ledger_block_offset(block)), RECORD_BYTES);
    (void)close(fd);
}

static void
expect_newest(const struct scratch *scratch, unsigned block, uint64_t generation, int fault_0,
              int fault_1)
{
    struct ledger_record record = {0};
    int faults[LEDGER_BLOCKS];
    int fd = openat(scratch->fd, "ledger", O_RDONLY | O_CLOEXEC);
    assert_int_equal(ledger_record_read_newest(&record, fd, faults), block);
    assert_int_equal(faults[0], fault_0);
    assert_int_equal(faults[1], fault_1);
    if (block != LEDGER_BLOCKS)
        assert_int_equal(ledger_record_generation(record.bytes), generation);
    assert_int_equal(record.size, block == LEDGER_BLOCKS ? 0 : RECORD_BYTES);
    ledger_record_clear(&record);
    (void)close(fd);
}

static void
test_the_higher_generation_counts_in_whichever_block(void **state)
{
    const struct scratch *scratch = *state;
    scratch_put(scratch, "ledger", "", 0);
    expect_newest(scratch, LEDGER_BLOCKS, 0, -EBADMSG, -EBADMSG);
    put_record(scratch, 5, 1);
    expect_newest(scratch, 1, 5, -EBADMSG, 0);
    put_record(scratch, 4, 0);
    expect_newest(scratch, 1, 5, 0, 0);
    put_record(scratch, 6, 0);
    expect_newest(scratch, 0, 6, 0, 0);
    put_record(scratch, 6, 1);
    expect_newest(scratch, 0, 6, 0, 0); /* of equals the first */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_stands_where_it_stood),
        cmocka_unit_test(test_what_is_encoded_is_decoded),
        cmocka_unit_test(test_a_settled_record_says_all_else_as_before),
        cmocka_unit_test(test_what_is_inconsistent_is_no_record),
        cmocka_unit_test(test_a_flipped_bit_anywhere_is_seen),
        cmocka_unit_test_setup_teardown(test_the_higher_generation_counts_in_whichever_block,
                                        scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
