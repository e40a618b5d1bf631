/* spawn.c -- forks a child and sends it on its way. Runs in the master and, for a few lines, in the
 * child.
 *
 * The child is forked from a process without threads, so it may use everything. It touches nothing
 * of the master's event loop; child_begin() closes what it inherited of that.
 */
#include "master/crew/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "admin/admin.h"
#include "collector/collector.h"
#include "common/heritage.h"
#include "worker/worker.h"

/* Whatever the master ignores or has been made to ignore, the child starts with. */
static void
reset_signals(void)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGCHLD, SIGPIPE, SIGABRT};
    sigset_t blocked;
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        (void)signal(handled[i], SIG_DFL);
    /* An order to end that comes before child_begin() has its signalfd waits for it. */
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGQUIT);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

_Noreturn static void
run_child(const struct heritage *heritage)
{
    reset_signals();
    /* Out of the terminal's foreground group: Ctrl-C is for the master, which ends its children in
     * order. */
    (void)setpgid(0, 0);
    if (heritage->slot == heritage->worker_count)
        _exit(collector_main(heritage));
    if (heritage->slot > heritage->worker_count)
        _exit(admin_main(heritage));
    _exit(worker_main(heritage));
}

int
spawn_child(const struct heritage *common, uint32_t slot, uint64_t incarnation, pid_t *pid_r,
            int *ready_fd_r)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    struct heritage heritage = *common;
    heritage.master_pid = getpid();
    heritage.slot = slot;
    heritage.incarnation = incarnation;
    heritage.fds[HERITAGE_FD_READY] = ready[1];
    if (slot >= common->worker_count)
        heritage.fds[HERITAGE_FD_LISTENER] = -1;
    if (slot <= common->worker_count)
        heritage.fds[HERITAGE_FD_ADMIN] = -1;

    pid_t pid = fork();
    if (pid == 0)
        run_child(&heritage);
    int error = errno;
    (void)close(ready[1]);
    if (pid < 0) {
        (void)close(ready[0]);
        return -error;
    }
    *pid_r = pid;
    *ready_fd_r = ready[0];
    return 0;
}
