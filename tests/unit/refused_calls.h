/* refused_calls.h -- has the kernel refuse a system call to this process, as an older kernel, a
 * sandbox or another file system would. By a seccomp filter, so it is for good: for a test program
 * of its own, or a child. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_REFUSED_CALLS_H
#define MYGRPCADAPTER_TESTS_UNIT_REFUSED_CALLS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/scratch.h"

/* Refuses the call of that number with that errno, if the bits `flags` are set in its argument
 * `argument` (0 = always). Returns false if this system has no filters. */
static inline bool
refuse_call(long number, int error, unsigned argument, uint32_t flags)
{
    uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JA | BPF_K, flags == 0 ? 0 : 1, 0, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Has `attempt` make its assertions in a child to which that call is refused, and in which the
 * filter ends; the test is skipped where there are no filters. */
static inline void
try_where_refused(long number, int error, unsigned argument, uint32_t flags,
                  void (*attempt)(void *context), void *context)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!refuse_call(number, error, argument, flags))
            _exit(2);
        attempt(context);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        skip();
    assert_int_equal(status, 0);
}

#endif
