/* file_destination_test.c -- an output file is appended to as it is found, and nothing that
 * stands in it is taken back. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/resource.h>

#include "collector/destination/destination.h"
#include "common/heritage.h"
#include "common/settings.h"

struct fixture {
    struct scratch root;
    struct scratch segments; /* a directory of its own, outside the root */
    struct settings settings;
    struct heritage heritage;
    struct destination *destination;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    scratch_open(&f->segments);
    f->settings.output_mode = 0640;
    f->heritage.settings = &f->settings;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    assert_int_equal(file_destination.open(&f->destination, &f->heritage, "out"), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    file_destination.close(&f->destination);
    assert_null(f->destination);
    file_destination.close(&f->destination);
    scratch_close(&f->root);
    scratch_close(&f->segments);
    free(f);
    return 0;
}

static struct ledger_mark
prepare(struct fixture *f)
{
    struct ledger_mark mark = {0};
    assert_int_equal(file_destination.prepare(f->destination, &mark), 0);
    return mark;
}

/* Delivers two records. */
static int
deliver(struct fixture *f, const char *one, const char *two)
{
    const struct iovec records[] = {{bytes_unconst(one), strlen(one)},
                                    {bytes_unconst(two), strlen(two)}};
    bool moved = false;
    int result = file_destination.deliver(f->destination, records, 2, &moved);
    assert_true(moved || result != 0);
    return result;
}

static void
test_records_are_appended_to_what_is_there(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->root, "out", "before\n", 7);
    struct ledger_mark mark = prepare(f);
    assert_int_equal(mark.offset, 7);
    assert_int_equal(deliver(f, "one\n", "two\n"), 0);
    assert_int_equal(prepare(f).offset, 15);
    assert_int_equal(file_destination.sync(f->destination), 0);
    scratch_expect(&f->root, "out", "before\none\ntwo\n");
    uint64_t device = 0;
    uint64_t inode = 0;
    assert_int_equal(file_destination.identify(f->destination, &device, &inode), 0);
    assert_int_equal(device, mark.device);
    assert_int_equal(inode, mark.inode);
}

static void
test_each_batch_goes_to_the_file_that_has_the_name_then(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(prepare(f).offset, 0);
    assert_int_equal(deliver(f, "one\n", "two\n"), 0);
    assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
    assert_int_equal(prepare(f).offset, 0); /* a new file */
    assert_int_equal(deliver(f, "three\n", ""), 0);
    scratch_put(&f->root, "out", "x\n", 2); /* cut short, and written to, by somebody else */
    assert_int_equal(prepare(f).offset, 2);
    file_destination.release(f->destination);
    assert_int_equal(prepare(f).offset, 2);
    assert_int_equal(deliver(f, "four\n", ""), 0);
    scratch_expect(&f->root, "out.1", "one\ntwo\n");
    scratch_expect(&f->root, "out", "x\nfour\n");
}

/* What the volume had room for stays: the batch is gone on with behind it (file_completion.c). */
static void
test_what_a_full_volume_took_stays_and_the_rest_is_told(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(prepare(f).offset, 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){6, limit.rlim_max}), 0);
    int result = deliver(f, "one\n", "two\n");
    int again = deliver(f, "one\n", "two\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, -ENOSPC);
    assert_true(again < 0);
    scratch_expect(&f->root, "out", "one\ntw");
}

/* Somebody else appends between the look at the size and the writing: nothing of it is cut off. */
static void
test_a_strangers_bytes_before_a_short_write_stay(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(prepare(f).offset, 0);
    scratch_put(&f->root, "out", "stranger\n", 9);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){14, limit.rlim_max}), 0);
    int result = deliver(f, "one\n", "two\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, -ENOSPC);
    scratch_expect(&f->root, "out", "stranger\none\nt");
}

static void
test_what_cannot_be_a_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ledger_mark mark;
    assert_int_equal(mkdirat(f->root.fd, "out", 0700), 0);
    assert_int_equal(file_destination.prepare(f->destination, &mark), -EISDIR);
    assert_int_equal(unlinkat(f->root.fd, "out", AT_REMOVEDIR), 0);
    assert_int_equal(prepare(f).offset, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_are_appended_to_what_is_there),
        TEST(test_each_batch_goes_to_the_file_that_has_the_name_then),
        TEST(test_what_a_full_volume_took_stays_and_the_rest_is_told),
        TEST(test_a_strangers_bytes_before_a_short_write_stay),
        TEST(test_what_cannot_be_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
