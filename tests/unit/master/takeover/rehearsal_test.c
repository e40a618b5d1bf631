/* rehearsal_test.c -- what a trial run can say, and what becomes of one that says nothing. */
#include "tests/unit/master/takeover/program.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "master/takeover/rehearsal.h"

#define LIMIT_MS 20000U

struct verdict {
    sd_event *loop;
    unsigned count;
    bool accepted;
    char refusal[256];
};

static void
on_ended(void *context, const char *refusal)
{
    struct verdict *verdict = context;
    verdict->count++;
    verdict->accepted = refusal == NULL;
    (void)snprintf(verdict->refusal, sizeof(verdict->refusal), "%s",
                   refusal != NULL ? refusal : "");
    (void)sd_event_exit(verdict->loop, 0);
}

/* Rehearses a program. Returns what came of it. */
static struct verdict
rehearse_path(struct program *program, const char *path, uint64_t limit_ms)
{
    struct verdict verdict = {.count = 0};
    struct rehearsal *rehearsal = NULL;
    int settings_fd = memfd_create("settings", MFD_CLOEXEC);
    program->handover.fds[HANDOVER_FD_SETTINGS] = settings_fd;
    (void)snprintf(program->settings_number, sizeof(program->settings_number), "%d", settings_fd);
    assert_true(sd_event_new(&verdict.loop) >= 0);
    assert_int_equal(rehearsal_start(&rehearsal, verdict.loop, path, program->argv,
                                     &program->handover, limit_ms, on_ended, &verdict),
                     0);
    assert_int_equal(sd_event_loop(verdict.loop), 0);
    assert_int_equal(verdict.count, 1);
    rehearsal_close(&rehearsal);
    assert_null(rehearsal);
    (void)sd_event_unref(verdict.loop);
    (void)close(settings_fd);
    assert_true(waitpid(-1, NULL, 0) > 0);
    return verdict;
}

static struct verdict
rehearse(const char *script, uint64_t limit_ms)
{
    struct program program = {.path = ""};
    program_open(&program, script);
    struct verdict verdict = rehearse_path(&program, program.path, limit_ms);
    program_close(&program);
    return verdict;
}

static void
expect_refusal(const char *script, const char *refusal)
{
    struct verdict verdict = rehearse(script, LIMIT_MS);
    assert_false(verdict.accepted);
    assert_string_equal(verdict.refusal, refusal);
}

static void
test_accepts(void **state)
{
    (void)state;
    assert_true(rehearse(PROGRAM_ACCEPTS, LIMIT_MS).accepted);
    assert_true(rehearse("[ \"$1\" = -t ] && " PROGRAM_ACCEPTS "exit 1", LIMIT_MS).accepted);
}

static void
test_the_last_line_is_the_refusal(void **state)
{
    (void)state;
    expect_refusal("echo first; echo 'mygrpcadapter: bad.cfg:3: no' >&2; echo; exit 78",
                   "bad.cfg:3: no");
    expect_refusal("printf 'without an end'", "without an end");
    expect_refusal("i=0; while [ $i -lt 999 ]; do echo much more than is kept; i=$((i+1)); done; "
                   "echo last",
                   "last");
}

static void
test_silence_is_a_refusal(void **state)
{
    (void)state;
    expect_refusal("exit 0", "the program ended without a word");
    expect_refusal("kill -9 $$", "the program ended without a word");
}

/* It is killed: the wait for its end is part of the helper above. */
static void
test_too_slow(void **state)
{
    (void)state;
    struct verdict verdict = rehearse("exec sleep 1000", 50);
    assert_false(verdict.accepted);
    assert_string_equal(verdict.refusal,
                        "the program took too long to say whether it can take over");
}

static void
test_no_program(void **state)
{
    (void)state;
    struct program program = {.path = ""};
    program_open(&program, "");
    struct verdict verdict = rehearse_path(&program, "/nowhere/program", LIMIT_MS);
    assert_false(verdict.accepted);
    assert_string_equal(verdict.refusal,
                        "cannot execute \"/nowhere/program\": No such file or directory");
    program_close(&program);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_the_last_line_is_the_refusal),
        cmocka_unit_test(test_silence_is_a_refusal),
        cmocka_unit_test(test_too_slow),
        cmocka_unit_test(test_no_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
