/* status_find_test.c -- which process is believed to have a segment directory: this one, when it
 * has the lock file open and a scoreboard. */
#include "tests/unit/scratch.h"

#include "commands/status/status_find.h"
#include "common/scoreboard.h"

static void
put_pid(const struct scratch *scratch, pid_t pid)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%ld\n", (long)pid);
    scratch_put(scratch, "lock", text, strlen(text));
}

static int
open_lock(const struct scratch *scratch)
{
    int fd = openat(scratch->fd, "lock", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void
assert_not_found(const struct scratch *scratch, int error, pid_t named)
{
    const struct scoreboard *found = NULL;
    pid_t pid = -1;
    assert_int_equal(status_find(&found, scratch->fd, &pid), error);
    assert_int_equal(pid, named);
    assert_null(found);
}

static void
test_found(void **state)
{
    const struct scratch *scratch = *state;
    struct scoreboard *own = NULL;
    const struct scoreboard *found = NULL;
    pid_t pid = 0;
    put_pid(scratch, getpid());
    int lock = open_lock(scratch);
    assert_int_equal(scoreboard_open(&own, 3), 0);
    own->facts.worker_count = 2;
    assert_int_equal(status_find(&found, scratch->fd, &pid), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(found->facts.worker_count, 2);
    tally_set(&own->slots[1].worker.begun, 5);
    assert_int_equal(tally_get(&found->slots[1].worker.begun), 5);
    scoreboard_detach(&found);
    scoreboard_close(&own);
    (void)close(lock);
}

static void
test_no_lock(void **state)
{
    const struct scratch *scratch = *state;
    assert_not_found(scratch, -ESRCH, 0);
    scratch_put(scratch, "lock", "", 0);
    assert_not_found(scratch, -ESRCH, 0);
    scratch_put(scratch, "lock", "none\n", 5);
    assert_not_found(scratch, -ESRCH, 0);
}

/* A pid alone proves nothing. */
static void
test_process_without_the_lock(void **state)
{
    const struct scratch *scratch = *state;
    struct scoreboard *own = NULL;
    put_pid(scratch, getpid());
    assert_int_equal(scoreboard_open(&own, 1), 0);
    assert_not_found(scratch, -ESRCH, getpid());

    /* A file of the same name and content is not that file. */
    int earlier = open_lock(scratch);
    assert_int_equal(unlinkat(scratch->fd, "lock", 0), 0);
    put_pid(scratch, getpid());
    assert_not_found(scratch, -ESRCH, getpid());
    (void)close(earlier);
    scoreboard_close(&own);
}

static void
test_process_without_a_scoreboard(void **state)
{
    const struct scratch *scratch = *state;
    put_pid(scratch, getpid());
    int lock = open_lock(scratch);
    assert_not_found(scratch, -ESRCH, getpid());
    (void)close(lock);
}

static void
test_process_that_is_gone(void **state)
{
    const struct scratch *scratch = *state;
    put_pid(scratch, 0x7ffffffe); /* more than any pid */
    assert_not_found(scratch, -ESRCH, 0x7ffffffe);
}

static void
test_another_version(void **state)
{
    const struct scratch *scratch = *state;
    struct scoreboard *own = NULL;
    put_pid(scratch, getpid());
    int lock = open_lock(scratch);
    assert_int_equal(scoreboard_open(&own, 1), 0);
    own->layout++;
    assert_not_found(scratch, -EPROTO, getpid());
    scoreboard_close(&own);
    (void)close(lock);
}

static void
test_found_by_its_path(void **state)
{
    (void)state;
    static const char *const asked[] = {"/nowhere/test/.mygrpcadapter", "/nowhere/test",
                                        "/nowhere/test/"};
    struct scoreboard *own = NULL;
    const struct scoreboard *found = NULL;
    pid_t pid = 0;
    assert_int_equal(status_find_by_path(&found, asked[0], &pid), -ESRCH);
    assert_int_equal(scoreboard_open(&own, 3), 0);
    (void)strcpy(own->facts.segments_directory, asked[0]);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(status_find_by_path(&found, asked[i], &pid), 0);
        assert_int_equal(pid, getpid());
        scoreboard_detach(&found);
    }
    assert_int_equal(status_find_by_path(&found, "/nowhere", &pid), -ESRCH);
    assert_int_equal(status_find_by_path(&found, "/nowhere/tes", &pid), -ESRCH);
    scoreboard_close(&own);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_no_lock, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_process_without_the_lock, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_process_without_a_scoreboard, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_process_that_is_gone, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_another_version, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_found_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
