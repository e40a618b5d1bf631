/* segments_ledger_test.c -- what a ledger says is read without a right to write it, the same as the
 * collector reads, and a block of which no copy is whole is seen. */
#include "tests/unit/scratch.h"

#include "collector/output/ledger.h"
#include "commands/segments/segments_ledger.h"
#include "commands/segments/segments_outputs.h"

#define POSITIONS 3U

static const struct bytes output_name = {"logs/a", 6};
static const struct ledger_mark mark = {7, 8, 1234, 56};

struct fixture {
    struct scratch scratch;
    char name[LEDGER_NAME_BYTES_MAX];
    struct ledger_position positions[POSITIONS];
};

/* A ledger that was written once after it was made: block 1 has the marks, block 0 is the older. */
static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct ledger *ledger = NULL;
    bool created;
    assert_non_null(f);
    scratch_open(&f->scratch);
    ledger_name_format(f->name, SEGMENT_FILE, output_name);
    for (size_t i = 0; i < POSITIONS; i++) {
        memset(f->positions[i].id.bytes, (int)(9 - i), SEGMENT_ID_BYTES);
        f->positions[i].identity = (struct segment_identity){(uint32_t)i, 17, i};
        f->positions[i].before = 4096 + i * 8;
        f->positions[i].after = 4096 + i * 16;
    }
    assert_int_equal(
        ledger_open(&ledger, f->scratch.fd, SEGMENT_FILE, output_name, false, &created), 0);
    assert_int_equal(ledger_write(ledger, &mark, f->positions, POSITIONS), 0);
    ledger_close(&ledger);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

static struct segments_ledger
read_as(const struct fixture *f, const char *name)
{
    struct segments_ledger ledger;
    int fd = openat(f->scratch.fd, f->name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(segments_ledger_read(&ledger, fd, name), 0);
    (void)close(fd);
    return ledger;
}

static void
expect_damage(const struct fixture *f, uint64_t offset, bool still_valid)
{
    struct segments_ledger ledger = read_as(f, f->name);
    assert_non_null(ledger.damage);
    assert_int_equal(ledger.damage_offset, offset);
    assert_int_equal(ledger.valid, still_valid);
    segments_ledger_close(&ledger);
    segments_ledger_close(&ledger);
}

static void
flip(const struct fixture *f, uint64_t offset)
{
    char byte;
    int fd = openat(f->scratch.fd, f->name, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte = (char)(byte ^ 0x40);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    (void)close(fd);
}

static void
test_says_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct segments_ledger ledger = read_as(f, f->name);
    assert_null(ledger.damage);
    assert_true(ledger.valid);
    assert_true(bytes_equal(ledger.state.name, output_name));
    assert_int_equal(ledger.state.kind, SEGMENT_FILE);
    assert_memory_equal(&ledger.state.mark, &mark, sizeof(mark));
    assert_int_equal(ledger.state.position_count, POSITIONS);
    for (size_t i = 0; i < POSITIONS; i++) {
        const struct ledger_position *said = &ledger.state.positions[i];
        assert_memory_equal(&said->id, &f->positions[i].id, sizeof(said->id));
        assert_int_equal(said->identity.number, f->positions[i].identity.number);
        assert_int_equal(said->before, f->positions[i].before);
        assert_int_equal(said->after, f->positions[i].after);
    }
    segments_ledger_close(&ledger);
    ledger = read_as(f, "ledger-00000000000000000000000000000000");
    assert_non_null(ledger.damage);
    assert_false(ledger.valid);
    segments_ledger_close(&ledger);
}

static void
test_new_ledger_is_whole(void **state)
{
    struct fixture *f = *state;
    struct ledger *made = NULL;
    bool created;
    struct bytes nothing = {NULL, 0};
    assert_int_equal(
        ledger_open(&made, f->scratch.fd, SEGMENT_STANDARD_OUTPUT, nothing, false, &created), 0);
    ledger_close(&made);
    ledger_name_format(f->name, SEGMENT_STANDARD_OUTPUT, nothing);
    struct segments_ledger ledger = read_as(f, f->name);
    assert_null(ledger.damage);
    assert_true(ledger.valid);
    assert_int_equal(ledger.state.kind, SEGMENT_STANDARD_OUTPUT);
    assert_int_equal(ledger.state.mark.length, 0);
    segments_ledger_close(&ledger);
}

/* One flipped byte of the newest record: its other copy says the same. */
static void
test_one_damaged_copy_is_said_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const uint64_t record_bytes = 64 + 8 + POSITIONS * 56 + 8;
    for (uint64_t at = 0; at < record_bytes; at += 7) {
        for (uint64_t copy = 0; copy < LEDGER_COPIES; copy++) {
            uint64_t place = LEDGER_BLOCK_BYTES + copy * LEDGER_COPY_BYTES + at;
            flip(f, place);
            struct segments_ledger ledger = read_as(f, f->name);
            assert_non_null(ledger.damage);
            assert_int_equal(ledger.damage_offset, place - at);
            assert_true(ledger.valid);
            assert_memory_equal(&ledger.state.mark, &mark, sizeof(mark));
            segments_ledger_close(&ledger);
            flip(f, place);
        }
    }
}

/* Flips the same byte of both copies of a block. */
static void
flip_both(const struct fixture *f, uint64_t offset)
{
    flip(f, offset);
    flip(f, offset + LEDGER_COPY_BYTES);
}

static void
test_damaged_blocks(void **state)
{
    struct fixture *f = *state;
    const uint64_t record_bytes = 64 + 8 + POSITIONS * 56 + 8;
    for (uint64_t at = 0; at < record_bytes; at += 7) {
        flip_both(f, LEDGER_BLOCK_BYTES + at);
        expect_damage(f, LEDGER_BLOCK_BYTES, true);
        flip_both(f, LEDGER_BLOCK_BYTES + at);
    }
    for (uint64_t at = 0; at < 64 + 8 + 8; at += 7) {
        flip_both(f, at);
        expect_damage(f, 0, true);
        flip_both(f, at);
    }
    flip_both(f, 8);
    flip_both(f, LEDGER_BLOCK_BYTES + 8);
    expect_damage(f, 0, false);
}

static void
test_cut_short_or_strange(void **state)
{
    struct fixture *f = *state;
    int fd = openat(f->scratch.fd, f->name, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, LEDGER_BLOCK_BYTES + 100), 0);
    expect_damage(f, LEDGER_BLOCK_BYTES, true);
    assert_int_equal(ftruncate(fd, 0), 0);
    expect_damage(f, 0, false);
    (void)close(fd);
    assert_int_equal(unlinkat(f->scratch.fd, f->name, 0), 0);
    assert_int_equal(mkdirat(f->scratch.fd, f->name, 0700), 0);
    expect_damage(f, 0, false);
}

static uint64_t
waiting_of(const struct segments_outputs *outputs, size_t i)
{
    assert_true(i < outputs->count);
    return outputs->list[i]->waiting_records;
}

static void
test_outputs_count_what_waits(void **state)
{
    struct fixture *f = *state;
    struct segments_outputs outputs = {.list = NULL};
    struct segments_ledger ledger = read_as(f, f->name);
    const struct segment_record known = {SEGMENT_FILE, output_name, {"text", 4}, 0};
    const struct segment_record unknown = {SEGMENT_FILE, {"logs/aa", 7}, {"text", 4}, 0};
    const struct segment_record standard = {SEGMENT_STANDARD_OUTPUT, {NULL, 0}, {"text", 4}, 0};
    const struct segment_id other = {{1}};
    bool consumed;
    assert_int_equal(segments_outputs_add_ledger(&outputs, &ledger.state), 0);
    assert_int_equal(segments_outputs_add_ledger(&outputs, &ledger.state), -EEXIST);
    segments_ledger_close(&ledger);

    segments_outputs_enter_segment(&outputs, &f->positions[1].id); /* up to 4104 */
    assert_int_equal(segments_outputs_add_record(&outputs, &known, 4096, &consumed), 0);
    assert_true(consumed);
    assert_int_equal(segments_outputs_add_record(&outputs, &known, 4104, &consumed), 0);
    assert_false(consumed);
    assert_int_equal(segments_outputs_add_record(&outputs, &unknown, 4096, &consumed), 0);
    assert_false(consumed);
    segments_outputs_enter_segment(&outputs, &other);
    assert_int_equal(segments_outputs_add_record(&outputs, &known, 4096, &consumed), 0);
    assert_false(consumed);
    assert_int_equal(segments_outputs_add_record(&outputs, &standard, 4096, &consumed), 0);

    assert_int_equal(outputs.count, 3); /* standard output, logs/a, logs/aa */
    assert_int_equal(waiting_of(&outputs, 0), 1);
    assert_int_equal(waiting_of(&outputs, 1), 2);
    assert_int_equal(waiting_of(&outputs, 2), 1);
    assert_int_equal(outputs.list[1]->waiting_bytes, 8);
    assert_true(outputs.list[1]->has_ledger && !outputs.list[2]->has_ledger);
    segments_outputs_close(&outputs);
    segments_outputs_close(&outputs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_says_what_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_ledger_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_damaged_copy_is_said_and_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damaged_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_short_or_strange, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outputs_count_what_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
