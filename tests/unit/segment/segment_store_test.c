/* segment_store_test.c -- the segment directory: what is listed, taken over, removed and set
 * aside. */
#include "tests/unit/scratch.h"

#include <sys/file.h>
#include <time.h>

#include "base/clock.h"
#include "segment/segment_store.h"

static const struct segment_identity identity = {3, 17, 2};
#define NEW_NAME "00003-0000000017-0000000002.new"
#define OPEN_NAME "00003-0000000017-0000000002.open"
#define SEALED_NAME "00003-0000000017-0000000002.sealed"

static void
test_the_store_lists_in_order_and_counts_a_slot(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_entry *entries = NULL;
    size_t count = 0;
    struct segment_store_bytes bytes;
    uint64_t next = 0;
    scratch_put(scratch, "00001-0000000002-0000000010.sealed", "abc", 3);
    scratch_put(scratch, "00001-0000000002-0000000009.sealed", "abcd", 4);
    scratch_put(scratch, "00000-0000000007-0000000000.open", "ab", 2);
    scratch_put(scratch, "unrelated", "abcdef", 6);
    assert_int_equal(segment_store_list(scratch->fd, &entries, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(entries[0].identity.incarnation, 7);
    assert_int_equal(entries[1].identity.number, 9);
    assert_int_equal(entries[2].identity.number, 10);
    free(entries);
    scratch_put(scratch, "00001-0000000002-0000000011.new", "abcde", 5);
    assert_int_equal(segment_store_count_bytes(scratch->fd, 1, &bytes), 0);
    assert_int_equal(bytes.of_slot, 7);
    assert_int_equal(bytes.of_all, 14);
    uint64_t now_ms = clock_realtime_ns() / 1000000;
    assert_int_equal(segment_store_next_incarnation(scratch->fd, &next), 0);
    assert_true(next >= now_ms); /* later starts give out higher numbers */
    scratch_put(scratch, "00000-9999999999999-0000000000.sealed", "ab", 2);
    assert_int_equal(segment_store_next_incarnation(scratch->fd, &next), 0);
    assert_int_equal(next, 10000000000000);
}

static void
test_quarantine_keeps_what_is_there(void **state)
{
    const struct scratch *scratch = *state;
    for (int i = 0; i < 3; i++) {
        scratch_put(scratch, SEALED_NAME, &"012"[i], 1);
        assert_int_equal(segment_store_quarantine(scratch->fd, SEALED_NAME), 0);
        assert_false(scratch_has(scratch, SEALED_NAME));
    }
    scratch_expect(scratch, "quarantine/" SEALED_NAME, "0");
    scratch_expect(scratch, "quarantine/" SEALED_NAME ".1", "1");
    scratch_expect(scratch, "quarantine/" SEALED_NAME ".2", "2");
}

/* Who holds the lock is alive. */
static void
test_only_a_dead_writers_file_is_taken_over(void **state)
{
    const struct scratch *scratch = *state;
    assert_int_equal(segment_store_take_over(scratch->fd, &identity), -ENOENT);
    scratch_put(scratch, OPEN_NAME, "abc", 3);
    int writer = openat(scratch->fd, OPEN_NAME, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(writer, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(segment_store_take_over(scratch->fd, &identity), -EAGAIN);
    assert_true(scratch_has(scratch, OPEN_NAME));
    (void)close(writer);
    assert_int_equal(segment_store_take_over(scratch->fd, &identity), 0);
    assert_false(scratch_has(scratch, OPEN_NAME));
    scratch_expect(scratch, SEALED_NAME, "abc");

    scratch_put(scratch, OPEN_NAME, "another", 7); /* nothing that is sealed is written over */
    assert_int_equal(segment_store_take_over(scratch->fd, &identity), -EEXIST);
    scratch_expect(scratch, SEALED_NAME, "abc");
    assert_int_equal(segment_store_remove(scratch->fd, &identity), 0);
    assert_int_equal(segment_store_remove(scratch->fd, &identity), 0); /* it is gone already */
    assert_false(scratch_has(scratch, SEALED_NAME));
}

static void
test_a_new_file_is_left_to_its_writer_for_a_while(void **state)
{
    const struct scratch *scratch = *state;
    const struct timespec longer_than_the_grace = {.tv_sec = 1, .tv_nsec = 50 * 1000000};
    assert_int_equal(segment_store_remove_new(scratch->fd, &identity), -ENOENT);
    scratch_put(scratch, NEW_NAME, "", 0);
    assert_int_equal(segment_store_remove_new(scratch->fd, &identity), -EAGAIN);
    (void)nanosleep(&longer_than_the_grace, NULL);
    int writer = openat(scratch->fd, NEW_NAME, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(writer, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(segment_store_remove_new(scratch->fd, &identity), -EAGAIN);
    (void)close(writer);
    assert_int_equal(segment_store_remove_new(scratch->fd, &identity), 0);
    assert_false(scratch_has(scratch, NEW_NAME));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_store_lists_in_order_and_counts_a_slot),
        TEST(test_quarantine_keeps_what_is_there),
        TEST(test_only_a_dead_writers_file_is_taken_over),
        TEST(test_a_new_file_is_left_to_its_writer_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
