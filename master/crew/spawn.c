/* spawn.c -- forks a child and sends it on its way. Runs in the master and, for a few lines, in the
 * child.
 *
 * The child is forked from a process without threads, so it may use everything. It touches nothing
 * of the master's event loop; child_begin() closes what it inherited of that.
 */
#include "master/crew/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/invariant.h"
#include "collector/collector.h"
#include "common/heritage.h"
#include "worker/worker.h"

/* What a child runs, from its first line to its exit code: worker_main() and its like. */
static int (*const entries[ROLES])(const struct heritage *) = {
#define ENTRY(name, number, word, ...) [number] = word##_main,
    ROLE_LIST(ENTRY)
#undef ENTRY
};

/* Which roles inherit which descriptor, a bit for each role. */
static const unsigned heirs[HERITAGE_FDS] = {
#define HEIRS(name, roles) [HERITAGE_FD_##name] = (roles),
    HERITAGE_FD_LIST(HEIRS)
#undef HEIRS
};

/* Takes away what is not for the child's role. */
static void
share_out(struct heritage *heritage)
{
    for (size_t i = 0; i < HERITAGE_FDS; i++) {
        if ((heirs[i] & 1U << heritage->role) == 0)
            heritage->fds[i] = -1;
    }
    if (heritage->role != ROLE_WORKER)
        heritage->turn_fds = NULL;
}

_Noreturn static void
run_child(const struct heritage *heritage)
{
    /* Out of the terminal's foreground group: Ctrl-C is for the master, which ends its children in
     * order. */
    (void)setpgid(0, 0);
    _exit(entries[heritage->role](heritage));
}

int
spawn_child(const struct heritage *common, enum role role, uint32_t slot, uint64_t incarnation,
            pid_t *pid_r, int *ready_fd_r)
{
    int ready[2];
    INVARIANT((unsigned)role < ROLES && (role == ROLE_WORKER) == (slot < common->worker_count));
    if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    struct heritage heritage = *common;
    heritage.master_pid = getpid();
    heritage.role = role;
    heritage.slot = slot;
    heritage.incarnation = incarnation;
    heritage.fds[HERITAGE_FD_READY] = ready[1];
    share_out(&heritage);

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
