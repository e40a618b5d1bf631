/* segment_guard.c -- a signal handler that jumps out of a store; segment_guard.h. Runs in a worker.
 */
#include "segment/segment_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/invariant.h"

/* The stores that are guarded now. Only the thread that makes them gets its SIGBUS, so only that
 * one reads what it wrote itself. */
static struct {
    /* As __builtin_setjmp() has it: four words less than the C library's, and no mask. */
    void *back[5];
    uintptr_t from;
    uintptr_t end;
    volatile bool armed;
} guard;

/* Jumps back, or has the store made again without a handler, which ends the process. */
static void
on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    if (guard.armed && at >= guard.from && at < guard.end)
        __builtin_longjmp(guard.back, 1);
    (void)signal(number, SIG_DFL);
    if (info->si_code <= 0)
        (void)raise(number); /* somebody sent it */
}

void
segment_guard_install(void)
{
    /* Not blocked in the handler: the jump leaves the mask as it is. */
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER};
    (void)sigemptyset(&action.sa_mask);
    int result = sigaction(SIGBUS, &action, NULL);
    INVARIANT(result == 0);
}

int
segment_guard_run(const void *memory, size_t size, void (*store)(void *context), void *context)
{
    INVARIANT(!guard.armed);
    guard.from = (uintptr_t)memory;
    guard.end = guard.from + size;
    if (__builtin_setjmp(guard.back) != 0) {
        guard.armed = false;
        return -EFAULT;
    }
    guard.armed = true;
    atomic_signal_fence(memory_order_seq_cst);
    store(context);
    atomic_signal_fence(memory_order_seq_cst);
    guard.armed = false;
    return 0;
}
