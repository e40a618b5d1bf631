/* segment_maker_test.c -- a segment is made if it leaves room for all that may be merged, and one
 * that does not is gone without a trace. */
#include "tests/unit/failing_calls.h"

#include <inttypes.h>

#include "common/heritage.h"
#include "common/settings.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"
#include "tests/unit/found_room.h"
#include "worker/call_refusal.h"
#include "worker/segment_helper.h"
#include "worker/segment_maker.h"

#define SIZE 65536U
#define MAX_FILES 3
/* Of each output and of standard output, volume_reserve.c. */
#define BESIDE ((MAX_FILES + 1) * 32768UL)

struct fixture {
    struct scratch volume;
    struct settings settings;
    struct heritage heritage;
    struct call_refusal refusal;
    struct segment_writer *writer;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->volume);
    f->settings.segments_size_bytes = SIZE;
    f->settings.segments_limit_bytes = 1 << 30;
    f->settings.output_max_files = MAX_FILES;
    f->heritage.settings = &f->settings;
    f->heritage.slot = 3;
    f->heritage.incarnation = 17;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->volume.fd;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->volume.fd;
    room_set(1 << 30);
    failing = (struct failing_call){.call = NULL};
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    segment_writer_abandon(&f->writer);
    scratch_close(&f->volume);
    free(f);
    return 0;
}

static bool
make(struct fixture *f, uint64_t file_bytes)
{
    const struct segment_order order = {0, 0, file_bytes};
    return segment_maker_make(&f->heritage, &order, &f->writer, &f->refusal);
}

static size_t
count_segments(const struct fixture *f)
{
    struct segment_entry *entries = NULL;
    size_t count = 0;
    assert_int_equal(segment_store_list(f->volume.fd, &entries, &count), 0);
    free(entries);
    return count;
}

static void
expect_refused(struct fixture *f, uint64_t file_bytes, const char *needed)
{
    size_t count = count_segments(f);
    assert_false(make(f, file_bytes));
    assert_null(f->writer);
    assert_int_equal(f->refusal.cause, REFUSAL_VOLUME_FULL);
    assert_non_null(strstr(f->refusal.text, needed));
    assert_int_equal(count_segments(f), count);
}

/* Before there is room for the segment and what becomes of it; then for what becomes of it. */
static void
test_as_much_stays_free_as_may_be_merged(void **state)
{
    struct fixture *f = *state;
    room_found[0] = room_of(2 * SIZE + BESIDE);
    room_found[1] = room_of(SIZE + BESIDE);
    room_skip = 1;
    assert_true(make(f, SIZE));
    assert_int_equal(count_segments(f), 1);
}

static void
test_a_block_less_is_too_little(void **state)
{
    struct fixture *f = *state;
    room_set(2 * SIZE + BESIDE - ROOM_BLOCK_BYTES);
    expect_refused(f, SIZE, "put segments.directory on a volume of its own");
    expect_refused(f, SIZE, "258048 bytes are free on its volume, and 262144 must be");
    expect_refused(f, SIZE, "lower segments.size_bytes or output.max_files");
    expect_refused(f, 3 * SIZE, "and 524288 must be");
    room_set(0);
    expect_refused(f, SIZE, "0 bytes are free");
}

/* A sixteenth of it is left for outputs that are still to come, and no more. */
static void
test_a_small_volume(void **state)
{
    struct fixture *f = *state;
    room_set(2 * SIZE + 2 * 32768UL - ROOM_BLOCK_BYTES);
    room_found[1].f_blocks = 16 * 32768UL / ROOM_BLOCK_BYTES;
    expect_refused(f, SIZE, "must be");
    room_set(2 * SIZE + 2 * 32768UL);
    room_found[1].f_blocks = 16 * 32768UL / ROOM_BLOCK_BYTES;
    assert_true(make(f, SIZE));
}

/* Another worker made one at the same moment: what is free is found to be less. */
static void
test_it_is_looked_again_with_the_room_taken(void **state)
{
    struct fixture *f = *state;
    room_found[0] = room_of(2 * SIZE + BESIDE);
    room_found[1] = room_of(SIZE + BESIDE - ROOM_BLOCK_BYTES);
    room_skip = 1;
    expect_refused(f, SIZE, "192512 bytes are free on its volume, and 196608 must be");
    room_set(1 << 30);
    assert_true(make(f, SIZE));
}

/* Those of other slots, those that are being made, and those that nothing is in yet. */
static void
test_every_segment_counts(void **state)
{
    struct fixture *f = *state;
    static const char bytes[SIZE];
    scratch_put(&f->volume, "00001-0000000002-0000000010.sealed", bytes, SIZE);
    scratch_put(&f->volume, "00002-0000000002-0000000010.open", bytes, SIZE);
    scratch_put(&f->volume, "00004-0000000002-0000000011.new", bytes, SIZE);
    scratch_put(&f->volume, "unrelated", bytes, SIZE);
    room_set(5 * SIZE + BESIDE - ROOM_BLOCK_BYTES);
    expect_refused(f, SIZE, "and 458752 must be");
    room_set(5 * SIZE + BESIDE);
    assert_true(make(f, SIZE));
}

/* The outputs have room of their own; the ledgers have not. */
static void
test_with_the_outputs_on_another_volume(void **state)
{
    struct fixture *f = *state;
    int elsewhere = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(elsewhere >= 0);
    f->heritage.fds[HERITAGE_FD_ROOT] = elsewhere;
    room_set(SIZE + BESIDE - ROOM_BLOCK_BYTES);
    expect_refused(f, SIZE, "make room, or lower segments.size_bytes or output.max_files");
    room_set(SIZE + BESIDE);
    assert_true(make(f, SIZE));
    (void)close(elsewhere);
}

static void
test_what_cannot_be_known_refuses_nothing(void **state)
{
    struct fixture *f = *state;
    room_found[1] = (struct statvfs){.f_blocks = 0};
    assert_true(make(f, SIZE));
}

/* What is free is not all that may be short. */
static void
test_a_volume_that_is_full_all_the_same(void **state)
{
    struct fixture *f = *state;
    room_found[1] = (struct statvfs){.f_blocks = 0};
    failing = (struct failing_call){.call = "openat", .file = ".new", .error = ENOSPC, .times = 1};
    expect_refused(f, SIZE, "No space left on device");
    failing = (struct failing_call){.call = "openat", .file = ".new", .error = EDQUOT, .times = 1};
    expect_refused(f, SIZE, "Disk quota exceeded");
    assert_true(make(f, SIZE));
}

/* Nobody knows then whether too much was taken. */
static void
test_a_directory_that_cannot_be_read_again(void **state)
{
    struct fixture *f = *state;
    failing =
        (struct failing_call){.call = "openat", .file = ".", .error = EIO, .skip = 2, .times = 1};
    assert_false(make(f, SIZE));
    assert_int_equal(failing.failed, 1);
    assert_int_equal(f->refusal.cause, REFUSAL_SYSTEM);
    assert_int_equal(count_segments(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_as_much_stays_free_as_may_be_merged),
        TEST(test_a_block_less_is_too_little),
        TEST(test_a_small_volume),
        TEST(test_it_is_looked_again_with_the_room_taken),
        TEST(test_every_segment_counts),
        TEST(test_with_the_outputs_on_another_volume),
        TEST(test_what_cannot_be_known_refuses_nothing),
        TEST(test_a_volume_that_is_full_all_the_same),
        TEST(test_a_directory_that_cannot_be_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
