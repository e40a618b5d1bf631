/* ledger_test.c -- a ledger says what was written last, or what was written before: after a
 * reopening, damage to a block, a write cut short or a kill, and never a mixture of both. */
#include "tests/unit/collector/output/ledger_fixture.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void
round_trip(const struct scratch *scratch, struct bytes name, size_t count)
{
    struct ledger *ledger = open_ledger(scratch, name);
    expect_on_disk(scratch, name, 0, 0);
    assert_int_equal(write_numbered(ledger, 7, count), 0);
    expect_on_disk(scratch, name, 7, count);
    ledger_close(&ledger);
    assert_null(ledger);
    expect_on_disk(scratch, name, 7, count);

    ledger = open_ledger(scratch, name);
    expect_on_disk(scratch, name, 7, count); /* opening changes nothing */
    assert_int_equal(write_numbered(ledger, 8, count / 2), 0);
    ledger_close(&ledger);
    expect_on_disk(scratch, name, 8, count / 2);

    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(name), &said), 0);
    assert_int_equal(write_numbered(ledger, 9, count), 0); /* under the name it was read with */
    ledger_remove(&ledger);
    assert_null(ledger);
    assert_false(scratch_has(scratch, file_name_of(name)));
}

static void
test_what_is_written_is_read_after_reopening(void **state)
{
    char longest[4095];
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 200 == 199 ? '/' : (char)('a' + i % 26);
    const struct bytes names[] = {{"a", 1},         {"logs/2026/a.log", 15},   {"eightlong", 8},
                                  {"ninelong/", 9}, {"caf\xc3\xa9", 5},        {"with\0nul", 8},
                                  {NULL, 0},        {longest, sizeof(longest)}};
    static const size_t counts[] = {0, 1, 5000};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++)
            round_trip(*state, names[i], counts[j]);
    }
}

static void
test_a_new_ledger_is_settled_and_leaves_no_other_file(void **state)
{
    const struct scratch *scratch = *state;
    char temporary[LEDGER_NAME_BYTES_MAX + 8];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", file_name_of(small_name));
    char *rubbish = calloc(1, 100000);
    assert_non_null(rubbish);
    scratch_put(scratch, temporary, rubbish, 100000); /* of a collector killed while it made one */
    free(rubbish);
    struct ledger *ledger = open_ledger(scratch, small_name);
    ledger_close(&ledger);
    expect_on_disk(scratch, small_name, 0, 0);
    assert_false(scratch_has(scratch, temporary));
}

static void
test_the_newest_block_counts_however_often_it_is_written(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = open_ledger(scratch, small_name);
    for (uint64_t n = 1; n <= 40; n++) {
        size_t count = (size_t)(n * 13 % 50); /* longer and shorter than what stood there */
        assert_int_equal(write_numbered(ledger, n, count), 0);
        expect_on_disk(scratch, small_name, n, count);
        if (n % 7 == 0) {
            ledger_close(&ledger);
            ledger = open_ledger(scratch, small_name);
        }
    }
    ledger_close(&ledger);
}

static void
test_kinds_and_names_have_ledgers_of_their_own(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledgers[3] = {NULL, NULL, NULL};
    const struct bytes empty = {NULL, 0};
    assert_int_equal(
        ledger_open(&ledgers[0], scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false}), 0);
    assert_int_equal(ledger_open(&ledgers[1], scratch->fd, SEGMENT_STANDARD_OUTPUT, empty, false,
                                 &(bool){false}),
                     0);
    assert_int_equal(
        ledger_open(&ledgers[2], scratch->fd, SEGMENT_FILE, empty, false, &(bool){false}), 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(write_numbered(ledgers[i], i + 1, 2), 0);
    for (size_t i = 0; i < 3; i++)
        ledger_close(&ledgers[i]);
    expect_on_disk(scratch, small_name, 1, 2);
    expect_on_disk(scratch, empty, 3, 2);

    char name[LEDGER_NAME_BYTES_MAX];
    struct ledger_state said;
    ledger_name_format(name, SEGMENT_STANDARD_OUTPUT, empty);
    assert_int_equal(ledger_open_existing(&ledgers[0], scratch->fd, name, &said), 0);
    assert_true(is_of(&said, SEGMENT_STANDARD_OUTPUT, empty));
    assert_true(is_numbered(&said, 2, 2));
    ledger_close(&ledgers[0]);
}

static void
test_another_outputs_ledger_under_the_name_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = open_ledger(scratch, small_name);
    ledger_close(&ledger);
    char other[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(other, SEGMENT_FILE, (struct bytes){"logs/b", 6});
    assert_int_equal(renameat(scratch->fd, file_name_of(small_name), scratch->fd, other), 0);
    bool created;
    assert_int_equal(ledger_open(&ledger, scratch->fd, SEGMENT_FILE, (struct bytes){"logs/b", 6},
                                 false, &created),
                     -EEXIST);
    assert_null(ledger);
}

/* ---- files that are no ledger */

static void
test_what_is_no_ledger_file_is_refused_at_once(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-missing", &said), -ENOENT);
    scratch_put(scratch, "ledger-empty", "", 0);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-empty", &said), -EBADMSG);
    scratch_put(scratch, "ledger-text", "mygrpcld and more", 17);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-text", &said), -EBADMSG);
    assert_int_equal(symlinkat("ledger-text", scratch->fd, "ledger-link"), 0);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-link", &said), -ELOOP);
    assert_int_equal(mkdirat(scratch->fd, "ledger-directory", 0700), 0);
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-directory", &said),
                     -EISDIR);
    assert_int_equal(mkfifoat(scratch->fd, "ledger-fifo", 0600), 0);
    (void)alarm(10); /* a FIFO must not make it wait */
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, "ledger-fifo", &said), -EBADMSG);
    (void)alarm(0);
    assert_null(ledger);
}

static void
test_a_ledgers_name_is_exact(void **state)
{
    (void)state;
    assert_true(ledger_name_is("ledger-0123456789abcdef0123456789abcdef"));
    static const char *const strangers[] = {"",
                                            "ledger",
                                            "ledger-",
                                            "ledger-0123456789abcdef0123456789abcde",
                                            "ledger-0123456789abcdef0123456789abcdef0",
                                            "ledger-0123456789abcdef0123456789abcdeg",
                                            "ledger-0123456789ABCDEF0123456789ABCDEF",
                                            "ledger-0123456789abcdef0123456789abcdef.new",
                                            "ledger-0123456789abcdef0123456789abcdef ",
                                            "ledger-0123456789abcdef0123456789abcde\n",
                                            " ledger-0123456789abcdef0123456789abcdef",
                                            "Ledger-0123456789abcdef0123456789abcdef",
                                            "ledger_0123456789abcdef0123456789abcdef",
                                            "0123456789abcdef0123456789abcdef",
                                            "ledger-+123456789abcdef0123456789abcdef",
                                            "ledger-0x23456789abcdef0123456789abcdef",
                                            "00003-0000000017-0000000002.open"};
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        assert_false(ledger_name_is(strangers[i]));
}

static void
test_each_output_has_a_name_of_its_own(void **state)
{
    (void)state;
    char names[4][LEDGER_NAME_BYTES_MAX];
    ledger_name_format(names[0], SEGMENT_FILE, small_name);
    ledger_name_format(names[1], SEGMENT_STANDARD_OUTPUT, small_name);
    ledger_name_format(names[2], SEGMENT_FILE, (struct bytes){"logs/b", 6});
    ledger_name_format(names[3], SEGMENT_FILE, (struct bytes){NULL, 0});
    for (size_t i = 0; i < 4; i++) {
        assert_true(ledger_name_is(names[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(names[0], file_name_of(small_name)); /* the same at any time */
}

static void
test_remove_and_close_accept_nothing_and_the_gone(void **state)
{
    const struct scratch *scratch = *state;
    struct ledger *ledger = NULL;
    ledger_close(&ledger);
    ledger_remove(&ledger);
    ledger = open_ledger(scratch, small_name);
    assert_int_equal(unlinkat(scratch->fd, file_name_of(small_name), 0), 0);
    ledger_remove(&ledger);
    assert_null(ledger);
    ledger = open_ledger(scratch, small_name); /* a new one, as if there had been none */
    expect_on_disk(scratch, small_name, 0, 0);
    ledger_remove(&ledger);
    assert_false(scratch_has(scratch, file_name_of(small_name)));
}

/* ---- writes that fail */

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    (void)signal(SIGXFSZ, bytes == limit.rlim_max ? SIG_DFL : SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
unlimit_file_size(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit_file_size(limit.rlim_max);
}

/* The volume takes only `room` bytes of each write into block 1. */
static void
write_with_room(const struct scratch *scratch, struct ledger *ledger, rlim_t room)
{
    assert_int_equal(write_numbered(ledger, 1, 2), 0);
    assert_int_equal(write_numbered(ledger, 2, 3), 0);
    limit_file_size(LEDGER_BLOCK_BYTES + room);
    int first = write_numbered(ledger, 3, 30);
    int second = first == 0 ? write_numbered(ledger, 4, 30) : 0;
    int again = write_numbered(ledger, 5, 30);
    unlimit_file_size();
    assert_true(first < 0 || second < 0); /* the one that went to block 1 */
    assert_true(again < 0);
    expect_on_disk(scratch, small_name, first == 0 ? 3 : 2, first == 0 ? 30 : 3);
    assert_int_equal(write_numbered(ledger, 6, 4), 0);
    expect_on_disk(scratch, small_name, 6, 4);
}

static void
test_a_write_that_is_cut_short_leaves_what_was_said(void **state)
{
    struct ledger *ledger = open_ledger(*state, small_name);
    for (rlim_t room = 0; room < small_record_bytes(30); room += 37)
        write_with_room(*state, ledger, room);
    ledger_close(&ledger);
}

static void
test_a_ledger_that_cannot_be_made_leaves_nothing(void **state)
{
    const struct scratch *scratch = *state;
    static const rlim_t rooms[] = {0, 50, 4096, LEDGER_BLOCK_BYTES, LEDGER_BLOCK_BYTES + 60};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        struct ledger *ledger = NULL;
        limit_file_size(rooms[i]);
        int result =
            ledger_open(&ledger, scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false});
        unlimit_file_size();
        assert_true(result < 0);
        assert_null(ledger);
        assert_int_equal(rmdir(scratch->path), 0); /* it is empty */
        assert_int_equal(mkdir(scratch->path, 0700), 0);
        (void)close(scratch->fd);
        ((struct scratch *)*state)->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(scratch->fd >= 0);
    }
}

/* ---- kills */

/* How many positions write `n` of the kill test has: enough to take some time. */
static size_t
count_of(uint64_t n)
{
    return n == 0 ? 0 : (size_t)(n * 997 % POSITIONS_MAX);
}

static pid_t
start_writer(const struct scratch *scratch, _Atomic uint64_t *written)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    struct ledger *ledger = NULL;
    if (ledger_open(&ledger, scratch->fd, SEGMENT_FILE, small_name, false, &(bool){false}) != 0)
        _exit(1);
    for (uint64_t n = atomic_load(written) + 1;; n++) {
        if (write_numbered(ledger, n, count_of(n)) != 0)
            _exit(1);
        atomic_store(written, n);
    }
}

/* The write the ledger holds: the last acknowledged, or the one the kill came into. */
static uint64_t
expect_last_write(const struct scratch *scratch, uint64_t acknowledged)
{
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(small_name), &said),
                     0);
    assert_true(is_of(&said, SEGMENT_FILE, small_name));
    uint64_t found = acknowledged;
    if (!is_numbered(&said, found, count_of(found)))
        found++;
    assert_true(is_numbered(&said, found, count_of(found)));
    ledger_close(&ledger);
    return found;
}

static void
test_a_killed_writer_leaves_its_last_write_or_the_one_under_way(void **state)
{
    _Atomic uint64_t *written =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(written != MAP_FAILED);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t begun = atomic_load(written);
        int status = 0;
        pid_t child = start_writer(*state, written);
        while (atomic_load(written) < begun + 1 + round % 5)
            assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        (void)usleep(round * 611 % 2500);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        atomic_store(written, expect_last_write(*state, atomic_load(written)));
    }
    (void)munmap((void *)(uintptr_t)written, 4096);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_read_after_reopening),
        TEST(test_a_new_ledger_is_settled_and_leaves_no_other_file),
        TEST(test_the_newest_block_counts_however_often_it_is_written),
        TEST(test_kinds_and_names_have_ledgers_of_their_own),
        TEST(test_another_outputs_ledger_under_the_name_is_refused),
        TEST(test_what_is_no_ledger_file_is_refused_at_once),
        TEST(test_a_ledgers_name_is_exact),
        TEST(test_each_output_has_a_name_of_its_own),
        TEST(test_remove_and_close_accept_nothing_and_the_gone),
        TEST(test_a_write_that_is_cut_short_leaves_what_was_said),
        TEST(test_a_ledger_that_cannot_be_made_leaves_nothing),
        TEST(test_a_killed_writer_leaves_its_last_write_or_the_one_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
