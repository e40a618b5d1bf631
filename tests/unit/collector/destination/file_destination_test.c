/* file_destination_test.c -- an output file is appended to as it is found, and a batch that was cut
 * short is taken back where the file is now. */
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

/* Delivers two records; gives back how many are out. */
static size_t
deliver(struct fixture *f, const char *one, const char *two, struct delivery *delivery_r)
{
    const struct iovec records[] = {{bytes_unconst(one), strlen(one)},
                                    {bytes_unconst(two), strlen(two)}};
    *delivery_r = (struct delivery){.error = 99};
    return file_destination.deliver(f->destination, records, 2, delivery_r);
}

static void
test_records_are_appended_to_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct delivery delivery;
    scratch_put(&f->root, "out", "before\n", 7);
    struct ledger_mark mark = prepare(f);
    assert_int_equal(mark.offset, 7);
    assert_int_equal(deliver(f, "one\n", "two\n", &delivery), 2);
    assert_int_equal(delivery.error, 0);
    assert_int_equal(delivery.mark.length, 0); /* nothing is to be undone */
    assert_int_equal(delivery.mark.offset, 15);
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
    struct delivery delivery;
    assert_int_equal(prepare(f).offset, 0);
    assert_int_equal(deliver(f, "one\n", "two\n", &delivery), 2);
    assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
    assert_int_equal(prepare(f).offset, 0); /* a new file */
    assert_int_equal(deliver(f, "three\n", "", &delivery), 2);
    scratch_put(&f->root, "out", "x\n", 2); /* cut short, and written to, by somebody else */
    assert_int_equal(prepare(f).offset, 2);
    file_destination.release(f->destination);
    assert_int_equal(prepare(f).offset, 2);
    assert_int_equal(deliver(f, "four\n", "", &delivery), 2);
    scratch_expect(&f->root, "out.1", "one\ntwo\n");
    scratch_expect(&f->root, "out", "x\nfour\n");
}

static void
test_no_half_record_stays_on_a_volume_that_is_full(void **state)
{
    struct fixture *f = *state;
    struct delivery delivery;
    struct rlimit limit;
    assert_int_equal(prepare(f).offset, 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){6, limit.rlim_max}), 0);
    size_t delivered = deliver(f, "one\n", "two\n", &delivery);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(delivered, 1);
    assert_true(delivery.error < 0);
    assert_int_equal(delivery.mark.length, 0);
    assert_int_equal(delivery.mark.offset, 4);
    scratch_expect(&f->root, "out", "one\n");
}

/* The mark of a batch of so many bytes that was begun in the file as it stands. */
static struct ledger_mark
begin(struct fixture *f, uint64_t length)
{
    struct ledger_mark mark = prepare(f);
    mark.length = length;
    return mark;
}

static void
test_a_batch_is_taken_back_wherever_it_was_cut_short(void **state)
{
    struct fixture *f = *state;
    for (size_t part = 0; part <= 4; part++) {
        char text[16];
        scratch_put(&f->root, "out", "before\n", 7);
        struct ledger_mark mark = begin(f, 4);
        int length = snprintf(text, sizeof(text), "before\n%.*s", (int)part, "one\n");
        scratch_put(&f->root, "out", text, (size_t)length);
        assert_int_equal(file_destination.undo(f->destination, &mark), 0);
        scratch_expect(&f->root, "out", "before\n");
        assert_int_equal(file_destination.undo(f->destination, &mark), 0); /* as well twice */
        scratch_expect(&f->root, "out", "before\n");
    }
}

static void
test_a_batch_is_taken_back_from_a_file_that_was_renamed(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->root, "out", "before\n", 7);
    struct ledger_mark mark = begin(f, 4);
    scratch_put(&f->root, "out", "before\non", 9);
    assert_int_equal(renameat(f->root.fd, "out", f->root.fd, "out.1"), 0);
    scratch_put(&f->root, "out", "before\nnew", 10);
    assert_int_equal(file_destination.undo(f->destination, &mark), 0);
    scratch_expect(&f->root, "out.1", "before\n");
    scratch_expect(&f->root, "out", "before\nnew");
}

static void
test_what_is_not_as_the_mark_says_is_left(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->root, "out", "before\n", 7);
    struct ledger_mark mark = begin(f, 4);
    scratch_put(&f->root, "out", "before\none\nand more\n", 20);
    assert_int_equal(file_destination.undo(f->destination, &mark), 0);
    scratch_expect(&f->root, "out", "before\none\nand more\n");
    scratch_put(&f->root, "out", "bef", 3);
    assert_int_equal(file_destination.undo(f->destination, &mark), 0);
    scratch_expect(&f->root, "out", "bef");
    assert_int_equal(unlinkat(f->root.fd, "out", 0), 0);
    assert_int_equal(file_destination.undo(f->destination, &mark), 0);
    assert_false(scratch_has(&f->root, "out")); /* it is not made anew */
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

static void
test_what_is_set_aside_goes_to_quarantine(void **state)
{
    struct fixture *f = *state;
    struct destination *aside = NULL;
    struct ledger_mark mark;
    struct delivery delivery = {.error = 0};
    const struct iovec record = {bytes_unconst("one\n"), 4};
    char ledger[LEDGER_NAME_BYTES_MAX];
    char path[LEDGER_NAME_BYTES_MAX + 64];
    assert_int_equal(aside_destination.open(&aside, &f->heritage, "out"), 0);
    assert_int_equal(aside_destination.prepare(aside, &mark), 0);
    assert_int_equal(aside_destination.deliver(aside, &record, 1, &delivery), 1);
    aside_destination.close(&aside);
    ledger_name_format(ledger, SEGMENT_FILE, (struct bytes){"out", 3});
    (void)snprintf(path, sizeof(path), "quarantine/undeliverable-%s", ledger);
    scratch_expect(&f->segments, path, "one\n");
    assert_false(scratch_has(&f->root, "out"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_are_appended_to_what_is_there),
        TEST(test_each_batch_goes_to_the_file_that_has_the_name_then),
        TEST(test_no_half_record_stays_on_a_volume_that_is_full),
        TEST(test_a_batch_is_taken_back_wherever_it_was_cut_short),
        TEST(test_a_batch_is_taken_back_from_a_file_that_was_renamed),
        TEST(test_what_is_not_as_the_mark_says_is_left),
        TEST(test_what_cannot_be_a_file_is_refused),
        TEST(test_what_is_set_aside_goes_to_quarantine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
