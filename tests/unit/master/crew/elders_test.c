/* elders_test.c -- processes of the program before: who is told what, and when. They are real
 * ones. */
#include "tests/unit/capture.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/role.h"
#include "master/crew/elders.h"
#include "master/crew/slot.h"
#include "master/crew/succession.h"

#define NOW_MS 5000U
#define PATIENCE_MS 900U

/* A process that waits for signals; a stubborn one ends for none that can be ignored. */
static struct elder
fork_elder(enum role role, bool stubborn)
{
    (void)signal(SIGINT, stubborn ? SIG_IGN : SIG_DFL);
    (void)signal(SIGQUIT, stubborn ? SIG_IGN : SIG_DFL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* with a test that fails */
    while (pid == 0)
        (void)pause();
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGQUIT, SIG_DFL);
    return (struct elder){.pid = pid,
                          .incarnation = 17,
                          .age_ms = 100,
                          .patience_ms = PATIENCE_MS,
                          .slot = 3,
                          .role = (uint8_t)role};
}

static struct elders *
open_elders(const struct elder *list, size_t count)
{
    struct elders *elders = NULL;
    assert_int_equal(elders_open(&elders, list, count, NOW_MS), 0);
    return elders;
}

/* Waits for that elder's end, which the signal must have brought, and has it buried. Returns the
 * obituary; the caller frees. */
static char *
expect_death(struct elders *elders, const struct elder *elder, int signal_number, uint64_t now_ms)
{
    struct capture capture;
    int status = 0;
    assert_int_equal(waitpid((pid_t)elder->pid, &status, 0), elder->pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal_number);
    capture_begin(&capture);
    bool buried = elders_bury(elders, (pid_t)elder->pid, status, now_ms);
    char *text = capture_end(&capture);
    assert_true(buried);
    return text;
}

static bool
is_alive(const struct elder *elder)
{
    return waitpid((pid_t)elder->pid, NULL, WNOHANG) == 0;
}

/* The collector is told as soon as it is taken up, the worker when others serve. */
static void
test_who_is_told_when(void **state)
{
    (void)state;
    const struct elder list[] = {fork_elder(ROLE_WORKER, false), fork_elder(ROLE_COLLECTOR, false)};
    struct elders *elders = open_elders(list, 2);
    char *text = expect_death(elders, &list[1], SIGQUIT, NOW_MS + 50);
    capture_expect(text, "old collector ended");
    capture_expect(text, "age_ms=150");
    assert_null(strstr(text, "killed_because"));
    free(text);
    assert_true(is_alive(&list[0]));
    assert_true(elders_serve(elders) && elders_have_workers(elders) && elders_are_left(elders));
    assert_int_equal(elders_deadline_ms(elders), SLOT_NEVER);
    elders_drain(elders, NOW_MS);
    assert_false(elders_serve(elders));
    assert_true(elders_have_workers(elders));
    assert_int_equal(elders_deadline_ms(elders), NOW_MS + PATIENCE_MS);
    text = expect_death(elders, &list[0], SIGINT, NOW_MS + 60);
    capture_expect(text, "old worker ended");
    free(text);
    assert_false(elders_have_workers(elders) || elders_are_left(elders));
    elders_close(&elders);
    assert_null(elders);
}

static void
test_who_does_not_end_is_killed_once(void **state)
{
    (void)state;
    const struct elder elder = fork_elder(ROLE_WORKER, true);
    struct capture capture;
    struct elders *elders = open_elders(&elder, 1);
    elders_drain(elders, NOW_MS);
    elders_tick(elders, NOW_MS + PATIENCE_MS - 1);
    assert_true(is_alive(&elder));
    capture_begin(&capture);
    elders_tick(elders, NOW_MS + PATIENCE_MS);
    elders_tick(elders, NOW_MS + PATIENCE_MS + 1);
    elders_stop(elders, NOW_MS + PATIENCE_MS + 2);
    char *text = capture_end(&capture);
    capture_expect(text, "killing an old process role=worker slot=3");
    assert_null(strstr(strstr(text, "killing") + 1, "killing"));
    free(text);
    assert_int_equal(elders_deadline_ms(elders), SLOT_NEVER);
    text = expect_death(elders, &elder, SIGKILL, NOW_MS + PATIENCE_MS + 5);
    capture_expect(text, "killed_because=\"took too long to end\" draining=yes");
    free(text);
    elders_close(&elders);
}

/* To be stopped shortens the time, and never lengthens it. */
static void
test_stop_brings_the_kill_forward(void **state)
{
    (void)state;
    const struct elder elder = fork_elder(ROLE_WORKER, true);
    struct elders *elders = open_elders(&elder, 1);
    elders_drain(elders, NOW_MS);
    elders_stop(elders, NOW_MS + PATIENCE_MS + 1000);
    assert_int_equal(elders_deadline_ms(elders), NOW_MS + PATIENCE_MS);
    elders_stop(elders, NOW_MS + 10);
    assert_int_equal(elders_deadline_ms(elders), NOW_MS + 10);
    (void)kill((pid_t)elder.pid, SIGKILL);
    free(expect_death(elders, &elder, SIGKILL, NOW_MS));
    elders_close(&elders);
}

/* The next program knows them as they are: who has the order, and how much time is left. */
static void
test_handed_on(void **state)
{
    (void)state;
    const struct elder list[] = {fork_elder(ROLE_WORKER, true), fork_elder(ROLE_ADMIN, true)};
    struct elder next[2];
    struct elders *elders = open_elders(list, 2);
    assert_int_equal(elders_count(elders), 2);
    elders_export(elders, next, NOW_MS + 40);
    assert_int_equal(next[0].told, 0);
    assert_int_equal(next[0].patience_ms, PATIENCE_MS);
    assert_int_equal(next[0].age_ms, 140);
    assert_int_equal(next[1].told, 1);
    elders_drain(elders, NOW_MS);
    elders_export(elders, next, NOW_MS + 40);
    assert_int_equal(next[0].told, 1);
    assert_int_equal(next[0].patience_ms, PATIENCE_MS - 40);
    elders_close(&elders);

    assert_int_equal(elders_open(&elders, next, 1, NOW_MS + 100), 0);
    assert_false(elders_serve(elders));
    assert_int_equal(elders_deadline_ms(elders), NOW_MS + 100 + PATIENCE_MS - 40);
    elders_close(&elders);
    for (size_t i = 0; i < 2; i++) {
        (void)kill((pid_t)list[i].pid, SIGKILL);
        (void)waitpid((pid_t)list[i].pid, NULL, 0);
    }
}

static void
test_strangers_are_not_buried(void **state)
{
    (void)state;
    struct elders *elders = open_elders(NULL, 0);
    assert_false(elders_bury(elders, getpid(), 0, NOW_MS));
    assert_false(elders_are_left(elders) || elders_serve(elders));
    elders_close(&elders);
    elders_close(&elders);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_told_when),
        cmocka_unit_test(test_who_does_not_end_is_killed_once),
        cmocka_unit_test(test_stop_brings_the_kill_forward),
        cmocka_unit_test(test_handed_on),
        cmocka_unit_test(test_strangers_are_not_buried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
