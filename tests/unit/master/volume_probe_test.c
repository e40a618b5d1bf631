/* volume_probe_test.c -- a file system that cannot do what segments need is refused by its name and
 * that of the call; one that is only full, or does it in another way, is not; nothing is left. */
#include "tests/unit/scratch.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "master/volume_probe.h"
#include "tests/unit/refused_calls.h"

static void
expect_nothing_left(const struct scratch *scratch)
{
    assert_false(scratch_has(scratch, "probe"));
    assert_false(scratch_has(scratch, "probe.renamed"));
}

static void
test_an_ordinary_directory(void **state)
{
    const struct scratch *scratch = *state;
    struct complaint complaint;
    assert_int_equal(volume_probe(scratch->fd, scratch->path, false, &complaint), 0);
    assert_int_equal(volume_probe(scratch->fd, scratch->path, true, &complaint), 0);
    expect_nothing_left(scratch);
    /* What a probe that was killed left. */
    scratch_put(scratch, "probe", "x", 1);
    scratch_put(scratch, "probe.renamed", "x", 1);
    assert_int_equal(volume_probe(scratch->fd, scratch->path, true, &complaint), 0);
    expect_nothing_left(scratch);
}

/* Probes in a child to which the kernel refuses a call; `words` = NULL: it is content. */
static void
probe_without(const struct scratch *scratch, long number, int error, unsigned argument,
              uint32_t flags, const char *words)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct complaint complaint = {.exit_code = 0};
        if (!refuse_call(number, error, argument, flags))
            _exit(2);
        int code = volume_probe(scratch->fd, scratch->path, true, &complaint);
        bool right = words == NULL
                         ? code == 0
                         : code == EX_CANTCREAT && strstr(complaint.text, words) != NULL &&
                               strstr(complaint.text, scratch->path) != NULL;
        if (!right)
            (void)dprintf(STDERR_FILENO, "%d %s\n", code, complaint.text);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
    expect_nothing_left(scratch);
}

static void
test_what_there_is_no_other_way_for(void **state)
{
    probe_without(*state, SYS_mmap, ENODEV, 3, MAP_SHARED,
                  "mmap(MAP_SHARED) fails: No such device");
    probe_without(*state, SYS_flock, EOPNOTSUPP, 0, 0, "flock fails: Operation not supported");
    probe_without(*state, SYS_fdatasync, EIO, 0, 0, "fdatasync fails: Input/output error");
    probe_without(*state, SYS_fsync, EINVAL, 0, 0, "fsync of a directory fails");
    probe_without(*state, SYS_fallocate, EIO, 0, 0, "fallocate, or a write of zeros, fails");
    probe_without(*state, SYS_renameat2, EACCES, 0, 0, "renameat2, or renameat, fails");
}

static void
test_what_there_is_another_way_for(void **state)
{
    probe_without(*state, SYS_fallocate, EOPNOTSUPP, 0, 0, NULL);
    probe_without(*state, SYS_renameat2, EINVAL, 4, RENAME_NOREPLACE, NULL);
}

static void
test_a_full_volume_is_seen_to_later(void **state)
{
    probe_without(*state, SYS_fallocate, ENOSPC, 0, 0, NULL);
    probe_without(*state, SYS_fallocate, EDQUOT, 0, 0, NULL);
    probe_without(*state, SYS_openat, ENOSPC, 2, O_CREAT, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_ordinary_directory),
        TEST(test_what_there_is_no_other_way_for),
        TEST(test_what_there_is_another_way_for),
        TEST(test_a_full_volume_is_seen_to_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
