/* set_aside_test.c -- orders to set aside, as the collector finds and answers them, and what an
 * earlier collector left of one. */
#include "tests/unit/collector/merge_fixture.h"

#include <dirent.h>
#include <sys/file.h>

#include "segment/aside_store.h"
#include "segment/segment_directory.h"

/* An order for which somebody waits. */
static int
give_order(struct merge_fixture *f, const char *text)
{
    int fd = openat(f->segments.fd, SEGMENT_DIRECTORY_ORDER, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

/* The answer that stands behind it; the order is gone. */
static void
expect_answer(struct merge_fixture *f, int fd, const char *order, const char *expected)
{
    char text[512] = "";
    assert_true(pread(fd, text, sizeof(text) - 1, (off_t)strlen(order)) > 0);
    assert_string_equal(text, expected);
    assert_int_equal(faccessat(f->segments.fd, SEGMENT_DIRECTORY_ORDER, F_OK, 0), -1);
    (void)close(fd);
}

static void
order_and_expect(struct merge_fixture *f, const char *order, const char *expected)
{
    int fd = give_order(f, order);
    merge_all(f);
    expect_answer(f, fd, order, expected);
}

static uint64_t
count_files(const struct merge_fixture *f)
{
    uint64_t files;
    uint64_t bytes;
    assert_int_equal(
        segment_directory_count(f->segments.fd, SEGMENT_DIRECTORY_ASIDE, &files, &bytes), 0);
    return files;
}

/* A directory stands where the output should be, and records wait for it. */
static void
refuse(struct merge_fixture *f)
{
    struct segment_writer *writer = begin(f, 0, 0, 0);
    append(writer, "out.txt", "one\n");
    append(writer, "other.txt", "other\n");
    append(writer, "out.txt", "two\n");
    segment_writer_seal(&writer);
    assert_int_equal(mkdirat(f->root.fd, "out.txt", 0700), 0);
    start(f);
    merge_all(f);
    assert_int_equal(count_entries(f), 1);
}

static void
put_back_all(struct merge_fixture *f)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/" SEGMENT_DIRECTORY_ASIDE, f->segments.path);
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, NULL);
    for (int i = 0; i < count; i++) {
        const char *reason;
        if (aside_name_is(names[i]->d_name))
            assert_int_equal(aside_store_put_back(f->segments.fd, names[i]->d_name, &reason), 0);
        free(names[i]);
    }
    free(names);
}

static void
test_what_waits_goes_aside_and_comes_back_once(void **state)
{
    struct merge_fixture *f = *state;
    refuse(f);
    order_and_expect(f, "file:out.txt", "+2 records set aside in 1 file");
    assert_int_equal(count_entries(f), 0); /* nothing keeps its segment any more */
    assert_int_equal(count_files(f), 1);
    assert_int_equal(unlinkat(f->root.fd, "out.txt", AT_REMOVEDIR), 0);
    start(f);
    merge_all(f);
    assert_int_equal(count_files(f), 1);
    put_back_all(f);
    merge_all(f);
    scratch_expect(&f->root, "out.txt", "one\ntwo\n");
    scratch_expect(&f->root, "other.txt", "other\n");
    assert_int_equal(count_files(f), 0);
    assert_true(merge_is_empty(f->merge));
}

static void
test_orders_that_cannot_be_carried_out(void **state)
{
    struct merge_fixture *f = *state;
    refuse(f);
    order_and_expect(f, "file:none.txt", "-there is no such output, or nothing waits for it");
    order_and_expect(f, "stdout", "-there is no such output, or nothing waits for it");
    order_and_expect(f, "strange", "-there is no such output, or nothing waits for it");
    order_and_expect(f, "file:other.txt", "-the output can be written: nothing is set aside");
    assert_int_equal(count_files(f), 0);
}

static void
test_an_order_of_nobody_is_removed(void **state)
{
    struct merge_fixture *f = *state;
    refuse(f);
    scratch_put(&f->segments, SEGMENT_DIRECTORY_ORDER, "file:out.txt", 12);
    merge_all(f);
    assert_int_equal(faccessat(f->segments.fd, SEGMENT_DIRECTORY_ORDER, F_OK, 0), -1);
    assert_int_equal(count_files(f), 0);
    assert_int_equal(count_entries(f), 1);
}

/* A file that was written, and its collector died before the ledger told of it: the records wait
 * still, and it goes. One that is damaged stays. */
static void
test_what_an_earlier_collector_left(void **state)
{
    struct merge_fixture *f = *state;
    refuse(f);
    merge_close(&f->merge);
    assert_int_equal(segment_directory_make(f->segments.fd, SEGMENT_DIRECTORY_ASIDE), 0);
    int aside_fd = aside_store_open(f->segments.fd);
    assert_true(aside_fd >= 0);
    static const struct segment_identity identity = {SEGMENT_SLOT_ASIDE, 5, 6};
    struct segment_writer *writer = NULL;
    assert_int_equal(segment_writer_create(&writer, aside_fd, &identity, 0, 8192, false), 0);
    append(writer, "out.txt", "one\n");
    segment_writer_seal(&writer);
    static const struct segment_identity unfinished = {SEGMENT_SLOT_ASIDE, 5, 7};
    assert_int_equal(segment_writer_create(&writer, aside_fd, &unfinished, 0, 8192, false), 0);
    segment_writer_abandon(&writer);
    scratch_put(&f->segments, SEGMENT_DIRECTORY_ASIDE "/99999-0000000005-0000000008.sealed", "x",
                1);
    assert_int_equal(count_files(f), 3);
    (void)close(aside_fd);
    start(f);
    merge_all(f);
    assert_int_equal(count_files(f), 1);
    assert_int_equal(unlinkat(f->root.fd, "out.txt", AT_REMOVEDIR), 0);
    f->now_ms += 2000;
    merge_all(f);
    scratch_expect(&f->root, "out.txt", "one\ntwo\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_waits_goes_aside_and_comes_back_once, merge_setup,
                                        merge_teardown),
        cmocka_unit_test_setup_teardown(test_orders_that_cannot_be_carried_out, merge_setup,
                                        merge_teardown),
        cmocka_unit_test_setup_teardown(test_an_order_of_nobody_is_removed, merge_setup,
                                        merge_teardown),
        cmocka_unit_test_setup_teardown(test_what_an_earlier_collector_left, merge_setup,
                                        merge_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
