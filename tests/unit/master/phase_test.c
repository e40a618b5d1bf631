/* phase_test.c -- the lives that an adapter can have, and that there are no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/phase.h"

static void
test_lives(void **state)
{
    (void)state;
    static const enum phase lives[][6] = {
        {PHASE_STARTING, PHASE_SERVING, PHASE_DRAINING_WORKERS, PHASE_DRAINING_COLLECTOR,
         PHASE_STOPPING, PHASE_ENDED},
        {PHASE_STARTING, PHASE_STUCK, PHASE_DRAINING_WORKERS, PHASE_DRAINING_COLLECTOR,
         PHASE_STOPPING, PHASE_ENDED},
        {PHASE_STARTING, PHASE_DRAINING_WORKERS, PHASE_STOPPING, PHASE_ENDED, PHASE_ENDED},
        {PHASE_STARTING, PHASE_SERVING, PHASE_STOPPING, PHASE_ENDED, PHASE_ENDED},
    };
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        enum phase phase = lives[i][0];
        for (size_t j = 1; phase != PHASE_ENDED; j++) {
            assert_true(phase_may_become(phase, lives[i][j]));
            phase_enter(&phase, lives[i][j]);
            assert_int_equal(phase, lives[i][j]);
        }
    }
}

/* Whoever asks whether it is too late to drain, or to stop, asks this. */
static void
test_no_way_back(void **state)
{
    (void)state;
    for (enum phase phase = 0; phase < PHASES; phase++) {
        for (enum phase next = 0; next <= phase; next++) {
            assert_false(phase_may_become(phase, next));
        }
        assert_int_equal(phase_may_become(phase, PHASE_STOPPING), phase < PHASE_STOPPING);
        assert_int_equal(phase_may_become(phase, PHASE_DRAINING_WORKERS),
                         phase < PHASE_DRAINING_WORKERS);
    }
    assert_false(phase_may_become(PHASE_STUCK, PHASE_SERVING));
    assert_false(phase_may_become(PHASE_SERVING, PHASE_DRAINING_COLLECTOR));
    assert_false(phase_may_become(PHASE_STARTING, PHASE_ENDED));
}

static void
test_another_transition_is_a_broken_promise(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enum phase phase = PHASE_STOPPING;
        int null_fd = open("/dev/null", O_WRONLY);
        (void)dup2(null_fd, STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        phase_enter(&phase, PHASE_SERVING);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_no_way_back),
        cmocka_unit_test(test_another_transition_is_a_broken_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
