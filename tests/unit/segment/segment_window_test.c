/* segment_window_test.c -- a window shows what the file has, as far as it goes, and whose it is. */
#include "tests/unit/scratch.h"

#include "segment/segment_window.h"

static int
open_file(const struct scratch *scratch)
{
    scratch_put(scratch, "file", "0123456789", 10);
    int fd = openat(scratch->fd, "file", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void
test_it_shows_as_much_as_the_file_has(void **state)
{
    struct segment_window window = {0};
    int owner = 0;
    int fd = open_file(*state);
    assert_int_equal(segment_window_fill(&window, &owner, fd, 2, 3, 4), 0);
    assert_ptr_equal(window.owner, &owner);
    assert_int_equal(window.offset, 2);
    assert_int_equal(window.length, 4);
    assert_memory_equal(window.bytes, "2345", 4);
    assert_int_equal(segment_window_fill(&window, &owner, fd, 6, 3, 100), 0); /* up to its end */
    assert_int_equal(window.length, 4);
    assert_memory_equal(window.bytes, "6789", 4);
    segment_window_clear(&window);
    assert_null(window.owner);
    (void)close(fd);
}

static void
test_what_cannot_be_had_leaves_it_nobodys(void **state)
{
    struct segment_window window = {0};
    int owner = 0;
    int fd = open_file(*state);
    assert_int_equal(segment_window_fill(&window, &owner, fd, 0, 10, 10), 0);
    assert_int_equal(segment_window_fill(&window, &owner, fd, 6, 5, 100), -ENODATA);
    assert_null(window.owner);
    assert_int_equal(segment_window_fill(&window, &owner, fd, 1, 2, 9), 0); /* and again */
    assert_memory_equal(window.bytes, "123456789", 9);
    (void)close(fd);
    assert_int_equal(segment_window_fill(&window, &owner, fd, 0, 1, 1), -EBADF);
    assert_null(window.owner);
    segment_window_clear(&window);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_shows_as_much_as_the_file_has, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_had_leaves_it_nobodys, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
