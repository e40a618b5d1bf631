/* ledger_format_test.c -- the bytes of a ledger's record, one by one, in each version that is read;
 * and what is no record. */
#include "tests/unit/scratch.h"

#include <xxhash.h>

#include "segment/ledger_format.h"

#define NAME_BYTES 6U
#define POSITIONS 2U
/* 64 of header, 8 of name, 2 * 56 of positions, 8 of checksum. */
#define RECORD_BYTES 192U
/* In version 1 a position had 24. */
#define RECORD_BYTES_V1 128U

static const struct ledger_position positions[POSITIONS] = {
    {.id = {"ABCDEFGHIJKLMNOP"},
     .identity = {0x01020304, 0x7172737475767778, 0x8182838485868788},
     .before = 0x1112131415161718,
     .after = 0x9192939495969798},
    {.id = {"abcdefghijklmnop"},
     .identity = {LEDGER_SLOT_UNKNOWN, 3, 4},
     .before = 0x2122232425262728,
     .after = 0x2122232425262728},
};

static const struct ledger_state sample = {
    .generation = 0x0102030405060708,
    .kind = SEGMENT_FILE,
    .name = {"logs/a", NAME_BYTES},
    .mark = {0x3132333435363738, 0x4142434445464748, 0x5152535455565758, 0x6162636465666768},
    .positions = positions,
    .position_count = POSITIONS,
};

/* Of version 2, all but the checksum. */
static const char expected[RECORD_BYTES - 8 + 1] = "mygrpcld"
                                                   "\x02\0\0\0"
                                                   "\xc0\0\0\0"
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
                                                   "\x04\x03\x02\x01"
                                                   "\0\0\0\0"
                                                   "\x78\x77\x76\x75\x74\x73\x72\x71"
                                                   "\x88\x87\x86\x85\x84\x83\x82\x81"
                                                   "\x18\x17\x16\x15\x14\x13\x12\x11"
                                                   "\x98\x97\x96\x95\x94\x93\x92\x91"
                                                   "abcdefghijklmnop"
                                                   "\xff\xff\xff\xff"
                                                   "\0\0\0\0"
                                                   "\x03\0\0\0\0\0\0\0"
                                                   "\x04\0\0\0\0\0\0\0"
                                                   "\x28\x27\x26\x25\x24\x23\x22\x21"
                                                   "\x28\x27\x26\x25\x24\x23\x22\x21";

/* As version 1 stands on disks since the first release, all but the checksum. */
static const char earlier[RECORD_BYTES_V1 - 8 + 1] = "mygrpcld"
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
mend_checksum(unsigned char *record, size_t size)
{
    le64_put(record + size - 8, XXH3_64bits(record, size - 8));
}

/* The sample as an earlier release wrote it. */
static unsigned char *
encoded_earlier(void)
{
    static _Alignas(8) unsigned char record[RECORD_BYTES_V1];
    memcpy(record, earlier, RECORD_BYTES_V1 - 8);
    mend_checksum(record, RECORD_BYTES_V1);
    return record;
}

/* Expects all that the sample says but for the positions, and of them the ids. */
static void
expect_sample(const struct ledger_state *said)
{
    assert_int_equal(said->generation, sample.generation);
    assert_int_equal(said->kind, sample.kind);
    assert_true(bytes_equal(said->name, sample.name));
    assert_memory_equal(&said->mark, &sample.mark, sizeof(said->mark));
    assert_int_equal(said->position_count, POSITIONS);
    for (size_t i = 0; i < POSITIONS; i++)
        assert_memory_equal(&said->positions[i].id, &positions[i].id, sizeof(positions[i].id));
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
    struct ledger_position room[POSITIONS];
    unsigned char *record = encoded();
    assert_true(ledger_record_is_whole(record, RECORD_BYTES));
    assert_int_equal(ledger_record_generation(record), sample.generation);
    assert_int_equal(ledger_record_position_count(record), POSITIONS);
    ledger_record_decode(&said, record, room);
    expect_sample(&said);
    assert_ptr_equal(said.positions, room);
    assert_false(said.batch_unknown);
    for (size_t i = 0; i < POSITIONS; i++) {
        assert_int_equal(room[i].identity.slot, positions[i].identity.slot);
        assert_int_equal(room[i].identity.incarnation, positions[i].identity.incarnation);
        assert_int_equal(room[i].identity.number, positions[i].identity.number);
        assert_int_equal(room[i].before, positions[i].before);
        assert_int_equal(room[i].after, positions[i].after);
    }
}

static void
test_a_record_of_version_1_is_read_as_it_stood(void **state)
{
    (void)state;
    struct ledger_state said;
    struct ledger_position room[POSITIONS];
    unsigned char *record = encoded_earlier();
    assert_int_equal(ledger_header_judge((const void *)record), RECORD_BYTES_V1);
    assert_true(ledger_record_is_whole(record, RECORD_BYTES_V1));
    assert_int_equal(ledger_record_generation(record), sample.generation);
    ledger_record_decode(&said, record, room);
    expect_sample(&said);
    /* It does not say which records the batch has, nor what the segments are called. */
    assert_true(said.batch_unknown);
    for (size_t i = 0; i < POSITIONS; i++) {
        assert_int_equal(room[i].identity.slot, LEDGER_SLOT_UNKNOWN);
        assert_int_equal(room[i].before, positions[i].before);
        assert_int_equal(room[i].after, positions[i].before);
    }
}

static void
test_a_settled_record_of_version_1_has_no_unknown_batch(void **state)
{
    (void)state;
    struct ledger_state said;
    struct ledger_position room[POSITIONS];
    unsigned char *record = encoded_earlier();
    le64_put(record + 48, 0);
    mend_checksum(record, RECORD_BYTES_V1);
    assert_true(ledger_record_is_whole(record, RECORD_BYTES_V1));
    ledger_record_decode(&said, record, room);
    assert_int_equal(said.mark.length, 0);
    assert_false(said.batch_unknown);
}

/* Fields that would lead out of the record, each with a checksum that is right. */
static void
test_what_is_inconsistent_is_no_record(void **state)
{
    static const struct {
        size_t at;
        unsigned char byte;
    } changes[] = {{0, 'M'}, {8, 0},   {8, 1},   {8, 3},  {11, 1},   {12, 0xc8},
                   {15, 1},  {58, 16}, {59, 16}, {60, 3}, {63, 0xff}};
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        unsigned char *record = encoded();
        record[changes[i].at] = changes[i].byte;
        mend_checksum(record, RECORD_BYTES);
        assert_int_equal(ledger_header_judge((const void *)record), 0);
        assert_false(ledger_record_is_whole(record, RECORD_BYTES));
    }
    unsigned char *record = encoded();
    assert_false(ledger_record_is_whole(record, RECORD_BYTES - 8));
    assert_false(ledger_record_is_whole(record, RECORD_BYTES + 8));
    assert_false(ledger_record_is_whole(record, 8));
    record = encoded_earlier();
    record[8] = 2;
    mend_checksum(record, RECORD_BYTES_V1);
    assert_false(ledger_record_is_whole(record, RECORD_BYTES_V1));
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
    for (size_t bit = 0; bit < RECORD_BYTES_V1 * (size_t)8; bit++) {
        unsigned char *record = encoded_earlier();
        record[bit / 8] = (unsigned char)(record[bit / 8] ^ 1U << bit % 8);
        assert_false(ledger_record_is_whole(record, RECORD_BYTES_V1));
    }
}

static void
test_the_copies_of_a_block_stand_apart_and_fill_it(void **state)
{
    (void)state;
    assert_int_equal(ledger_copy_offset(0, 0), 0);
    assert_int_equal(ledger_copy_offset(0, 1), 8 << 20);
    assert_int_equal(ledger_copy_offset(1, 0), 16 << 20);
    assert_int_equal(ledger_copy_offset(1, 1), 24 << 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_stands_where_it_stood),
        cmocka_unit_test(test_what_is_encoded_is_decoded),
        cmocka_unit_test(test_a_record_of_version_1_is_read_as_it_stood),
        cmocka_unit_test(test_a_settled_record_of_version_1_has_no_unknown_batch),
        cmocka_unit_test(test_what_is_inconsistent_is_no_record),
        cmocka_unit_test(test_a_flipped_bit_anywhere_is_seen),
        cmocka_unit_test(test_the_copies_of_a_block_stand_apart_and_fill_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
