/* record_writer_test.c -- whatever pieces a write is made of, the bytes are those of the
 * records. */
#include "tests/unit/scratch.h"

#include "collector/destination/record_writer.h"

#define RECORDS 1500U

/* Writes all of the records, by as many calls as it takes; returns how many. */
static unsigned
write_all(const struct scratch *scratch, const struct iovec *records, size_t count)
{
    unsigned calls = 0;
    int fd = openat(scratch->fd, "out", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t done = 0; done < count; calls++) {
        size_t tried = 0;
        size_t bytes = 0;
        ssize_t written = record_writer_write(fd, records + done, count - done, &tried);
        assert_true(written > 0 && tried > 0 && tried <= count - done);
        assert_int_equal(record_writer_count_whole(records + done, tried, (size_t)written, &bytes),
                         tried);
        assert_int_equal(bytes, written);
        done += tried;
    }
    (void)close(fd);
    return calls;
}

static void
expect_written(const struct scratch *scratch, const struct iovec *records, size_t count)
{
    size_t size = 0;
    size_t at = 0;
    char *found = scratch_get(scratch, "out", &size);
    assert_non_null(found);
    for (size_t i = 0; i < count; i++) {
        assert_true(at + records[i].iov_len <= size);
        if (records[i].iov_len > 0)
            assert_memory_equal(found + at, records[i].iov_base, records[i].iov_len);
        at += records[i].iov_len;
    }
    assert_int_equal(at, size);
    free(found);
}

/* Records of some bytes each, `gap` bytes apart in memory. */
static void
lay_out(struct iovec records[RECORDS], char *memory, size_t size, size_t gap)
{
    for (size_t i = 0; i < RECORDS; i++) {
        char *at = memory + i * (size + gap);
        for (size_t j = 0; j < size; j++)
            at[j] = (char)(i + j);
        records[i] = (struct iovec){at, size};
    }
}

static void
test_records_side_by_side_are_one_piece(void **state)
{
    static char memory[RECORDS * 40];
    static struct iovec records[RECORDS];
    lay_out(records, memory, 40, 0);
    assert_int_equal(write_all(*state, records, RECORDS), 1);
    expect_written(*state, records, RECORDS);
}

static void
test_records_apart_are_as_many_pieces_as_a_call_takes(void **state)
{
    static char memory[RECORDS * 41];
    static struct iovec records[RECORDS];
    lay_out(records, memory, 40, 1);
    assert_int_equal(write_all(*state, records, RECORDS), (RECORDS + 255) / 256);
    expect_written(*state, records, RECORDS);
}

static void
test_large_records_are_written_about_a_mebibyte_at_a_time(void **state)
{
    static char memory[RECORDS * 4096];
    static struct iovec records[RECORDS];
    lay_out(records, memory, 4096, 0);
    assert_int_equal(write_all(*state, records, RECORDS), (RECORDS + 255) / 256);
    expect_written(*state, records, RECORDS);
}

static void
test_whole_records_are_counted(void **state)
{
    (void)state;
    char text[] = "onetwothree";
    const struct iovec records[] = {{text, 3}, {text + 3, 3}, {text + 6, 5}};
    static const struct {
        size_t written;
        size_t whole;
        size_t bytes;
    } cases[] = {{0, 0, 0}, {2, 0, 0}, {3, 1, 3}, {5, 1, 3}, {6, 2, 6}, {10, 2, 6}, {11, 3, 11}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes = 99;
        assert_int_equal(record_writer_count_whole(records, 3, cases[i].written, &bytes),
                         cases[i].whole);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_side_by_side_are_one_piece),
        TEST(test_records_apart_are_as_many_pieces_as_a_call_takes),
        TEST(test_large_records_are_written_about_a_mebibyte_at_a_time),
        cmocka_unit_test(test_whole_records_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
