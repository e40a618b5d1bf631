/* reload_test.c -- from the wish for another program to its refusal, or to its execution. */
#include "tests/unit/capture.h"
#include "tests/unit/master/takeover/program.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "master/takeover/reload.h"

#define LIMIT_MS 20000U
#define EXECUTED 7

struct stage {
    struct program program;
    sd_event *loop;
    struct reload *reload;
    unsigned completions;
};

/* What the crew does in the master; here there are no processes. */
static int
complete(void *context, struct handover *handover)
{
    struct stage *stage = context;
    stage->completions++;
    (void)snprintf(stage->program.settings_number, sizeof(stage->program.settings_number), "%d",
                   handover->fds[HANDOVER_FD_SETTINGS]);
    return 0;
}

static void
open_stage(struct stage *stage, const char *script)
{
    *stage = (struct stage){.completions = 0};
    program_open(&stage->program, script);
    assert_true(sd_event_new(&stage->loop) >= 0);
    assert_int_equal(reload_open(&stage->reload, stage->loop, &stage->program.handover,
                                 stage->program.argv, LIMIT_MS, complete, stage),
                     0);
}

static void
close_stage(struct stage *stage)
{
    reload_close(&stage->reload);
    assert_null(stage->reload);
    (void)sd_event_unref(stage->loop);
    program_close(&stage->program);
}

static bool
is_under_way(const struct stage *stage)
{
    return stage->program.handover.fds[HANDOVER_FD_SETTINGS] >= 0;
}

/* Turns the loop as the supervisor does, until nothing is under way. */
static void
run(struct stage *stage)
{
    uint64_t end_ms = clock_monotonic_ms() + LIMIT_MS;
    do {
        reload_advance(stage->reload);
        if (is_under_way(stage))
            (void)sd_event_run(stage->loop, 100000);
        assert_true(clock_monotonic_ms() < end_ms);
    } while (is_under_way(stage));
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

static unsigned
count_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

static unsigned
count_lines_with(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

static void
test_nothing_wanted(void **state)
{
    (void)state;
    struct stage stage;
    open_stage(&stage, "exit 1");
    reload_advance(stage.reload);
    assert_false(is_under_way(&stage));
    assert_int_equal(stage.completions, 0);
    close_stage(&stage);
}

static void
test_a_refusal_changes_nothing(void **state)
{
    (void)state;
    struct stage stage;
    struct capture capture;
    open_stage(&stage, "echo 'not today' >&2; exit 1");
    reload_want(stage.reload, RELOAD_PROGRAM);
    capture_begin(&capture);
    run(&stage);
    char *text = capture_end(&capture);
    capture_expect(text, "checking the new program signal=USR2 program=/tmp/");
    capture_expect(text,
                   "the new program is refused; the running one goes on reason=\"not today\"");
    free(text);
    assert_int_equal(stage.completions, 1);
    close_stage(&stage);
}

/* Of those that come while one is under way, one is followed, after it. */
static void
test_wishes_count_as_one(void **state)
{
    (void)state;
    struct stage stage;
    struct capture capture;
    open_stage(&stage, "exit 1");
    capture_begin(&capture);
    reload_want(stage.reload, RELOAD_PROGRAM);
    run(&stage);
    free(capture_end(&capture));
    reload_advance(stage.reload);
    unsigned descriptors = count_descriptors(); /* the loop has all of its own by now */
    stage.completions = 0;
    capture_begin(&capture);
    reload_want(stage.reload, RELOAD_PROGRAM);
    reload_advance(stage.reload);
    assert_true(is_under_way(&stage));
    for (int i = 0; i < 3; i++) {
        reload_want(stage.reload, RELOAD_PROGRAM);
        reload_advance(stage.reload);
    }
    assert_int_equal(stage.completions, 1);
    run(&stage);
    assert_int_equal(stage.completions, 1);
    run(&stage);
    assert_int_equal(stage.completions, 2);
    run(&stage);
    char *text = capture_end(&capture);
    assert_int_equal(stage.completions, 2);
    assert_int_equal(count_lines_with(text, "checking the new program"), 2);
    free(text);
    /* Nothing is left of the refused ones: not a pipe, not a settings' file. */
    assert_int_equal(count_descriptors(), descriptors);
    close_stage(&stage);
}

static void
test_the_program_is_the_greater_wish(void **state)
{
    (void)state;
    struct stage stage;
    struct capture capture;
    open_stage(&stage, "exit 1");
    reload_want(stage.reload, RELOAD_PROGRAM);
    reload_want(stage.reload, RELOAD_SETTINGS);
    capture_begin(&capture);
    run(&stage);
    char *text = capture_end(&capture);
    capture_expect(text, "signal=USR2");
    free(text);
    close_stage(&stage);
}

/* What was accepted is executed in the same process, with the same command line and the handover.
 */
static void
test_what_is_accepted_is_executed(void **state)
{
    (void)state;
    struct capture capture;
    int status = 0;
    capture_begin(&capture);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) { /* a loop is of no use in another process than the one that made it */
        struct stage stage;
        open_stage(&stage,
                   "if [ \"$1\" = -t ]; then " PROGRAM_ACCEPTS "exit 0; fi\n"
                   "[ -e /proc/self/fd/$MYGRPCADAPTER_HANDOVER ] && [ -e /proc/self/fd/$1 ] && "
                   "rm -r \"${0%/*}\" && exit 7");
        reload_want(stage.reload, RELOAD_PROGRAM);
        run(&stage);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(capture_end(&capture));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXECUTED);
}

/* The file may have gone since: then all is as before, and descriptors cross no execution. */
static void
test_what_cannot_be_executed(void **state)
{
    (void)state;
    struct stage stage;
    struct capture capture;
    open_stage(&stage, "rm \"$0\"\n" PROGRAM_ACCEPTS);
    int kept_fd = memfd_create("listener", MFD_CLOEXEC);
    stage.program.handover.fds[HANDOVER_FD_LISTENER] = kept_fd;
    reload_want(stage.reload, RELOAD_PROGRAM);
    capture_begin(&capture);
    run(&stage);
    char *text = capture_end(&capture);
    capture_expect(text, "the new program is accepted; going over to it");
    capture_expect(text, "reason=\"No such file or directory\"");
    free(text);
    assert_int_equal(fcntl(kept_fd, F_GETFD), FD_CLOEXEC);
    assert_null(getenv("MYGRPCADAPTER_HANDOVER"));
    (void)close(kept_fd);
    close_stage(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_wanted),
        cmocka_unit_test(test_a_refusal_changes_nothing),
        cmocka_unit_test(test_wishes_count_as_one),
        cmocka_unit_test(test_the_program_is_the_greater_wish),
        cmocka_unit_test(test_what_is_accepted_is_executed),
        cmocka_unit_test(test_what_cannot_be_executed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
