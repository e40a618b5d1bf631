/* ending.h -- for unit tests of what ends a process: has a child do it, and tells how it ended
 * and what it said on standard error. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_ENDING_H
#define MYGRPCADAPTER_TESTS_UNIT_ENDING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit code of a child that came back from what should have ended it. */
#define ENDING_RETURNED 200

struct ending {
    /* As waitpid(2) has it. */
    int status;

    /* What was written to standard error, NUL-terminated. */
    char text[4096];
};

/* Runs `run` in a child. */
static inline struct ending
ending_of(void (*run)(void *context), void *context)
{
    struct ending ending = {.status = 0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* A core would be left behind. */
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(ends[1], STDERR_FILENO);
        run(context);
        _exit(ENDING_RETURNED);
    }
    (void)close(ends[1]);
    size_t used = 0;
    ssize_t size = 0;
    do {
        used += (size_t)size;
        size = read(ends[0], ending.text + used, sizeof(ending.text) - 1 - used);
    } while (size > 0);
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &ending.status, 0), pid);
    return ending;
}

/* The exit code; fails if a signal ended it. */
static inline int
ending_exit_code(const struct ending *ending)
{
    assert_true(WIFEXITED(ending->status));
    return WEXITSTATUS(ending->status);
}

#endif
