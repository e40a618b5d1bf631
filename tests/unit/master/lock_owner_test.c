/* lock_owner_test.c -- who holds a lock, as the kernel has it. */
#include "tests/unit/scratch.h"

#include <sys/file.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "master/lock_owner.h"

/* Opens NAME anew: locks belong to the open file. */
static int
open_again(const struct scratch *scratch, const char *name)
{
    int fd = openat(scratch->fd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void
check(const struct scratch *scratch, const char *name)
{
    int looked_at = open_again(scratch, name);
    int held = open_again(scratch, name);
    assert_int_equal(lock_owner_find(looked_at), 0);
    assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(lock_owner_find(looked_at), getpid());
    assert_int_equal(flock(held, LOCK_UN), 0);
    assert_int_equal(lock_owner_find(looked_at), 0);
    (void)close(held);
    (void)close(looked_at);
}

static void
test_files_and_directories(void **state)
{
    const struct scratch *scratch = *state;
    scratch_put(scratch, "lock", "", 0);
    check(scratch, "lock");
    check(scratch, ".");
}

static void
test_another_file_s_lock_is_not_taken_for_it(void **state)
{
    const struct scratch *scratch = *state;
    scratch_put(scratch, "one", "", 0);
    scratch_put(scratch, "other", "", 0);
    int one = open_again(scratch, "one");
    int other = open_again(scratch, "other");
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(lock_owner_find(one), 0);
    (void)close(one);
    (void)close(other);
}

/* A lock of fcntl(2) is of another kind: no flock(2) waits for it. */
static void
test_another_kind_of_lock_is_none(void **state)
{
    const struct scratch *scratch = *state;
    scratch_put(scratch, "lock", "", 0);
    int fd = openat(scratch->fd, "lock", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_SETLK, &whole), 0);
    assert_int_equal(lock_owner_find(fd), 0);
    (void)close(fd);
}

static void
test_another_process_is_named(void **state)
{
    const struct scratch *scratch = *state;
    char byte;
    int ready[2];
    int done[2];
    scratch_put(scratch, "lock", "", 0);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(done[1]);
        int fd = openat(scratch->fd, "lock", O_RDONLY | O_CLOEXEC);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            (void)!write(ready[1], "", 1);
        (void)!read(done[0], &byte, 1);
        _exit(0);
    }
    int fd = open_again(scratch, "lock");
    (void)close(done[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    pid_t owner = lock_owner_find(fd);
    (void)close(done[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(owner, pid);
    assert_int_equal(lock_owner_find(fd), 0);
    (void)close(fd);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void
test_what_is_not_open_has_no_owner(void **state)
{
    (void)state;
    assert_int_equal(lock_owner_find(-1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_and_directories),
        TEST(test_another_file_s_lock_is_not_taken_for_it),
        TEST(test_another_kind_of_lock_is_none),
        TEST(test_another_process_is_named),
        TEST(test_what_is_not_open_has_no_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
