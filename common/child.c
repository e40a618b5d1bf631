/* child.c -- the first steps of a forked child, the same for workers and the collector. */
#include "common/child.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/heritage.h"
#include "base/invariant.h"
#include "base/log.h"

static int
compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes everything above standard error that the heritage does not name, the holes between the
 * named ones. */
static void
close_strangers(const struct heritage *heritage)
{
    int kept[HERITAGE_FDS + 256];
    size_t count = 0;
    for (size_t i = 0; i < HERITAGE_FDS; i++) {
        if (heritage->fds[i] >= 0)
            kept[count++] = heritage->fds[i];
    }
    INVARIANT(heritage->worker_count <= 256);
    for (uint32_t i = 0; i < heritage->worker_count; i++)
        kept[count++] = heritage->turn_fds[i];
    qsort(kept, count, sizeof(kept[0]), compare_fds);

    unsigned next = STDERR_FILENO + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned fd = (unsigned)kept[i];
        if (fd > next)
            (void)close_range(next, fd - 1, 0);
        next = fd + 1;
    }
    (void)close_range(next, ~0U, 0);
}

int
child_begin(const struct heritage *heritage, const char *name, const char *role, int *signal_fd_r)
{
    log_identify(role, heritage->fds[HERITAGE_FD_LISTENER] >= 0 ? heritage->slot : LOG_NO_SLOT);
    (void)prctl(PR_SET_NAME, name);
    /* First ask for the signal, then look: in the other order a master that dies in between goes
     * unnoticed. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        return -errno;
    if (child_is_orphan(heritage))
        _exit(0);
    close_strangers(heritage);

    sigset_t handled;
    (void)sigemptyset(&handled);
    (void)sigaddset(&handled, SIGTERM);
    (void)sigaddset(&handled, SIGINT);
    (void)sigaddset(&handled, SIGQUIT);
    (void)sigaddset(&handled, SIGUSR1);
    if (sigprocmask(SIG_SETMASK, &handled, NULL) != 0)
        return -errno;
    (void)signal(SIGPIPE, SIG_IGN); /* a closed peer is a return code */
    (void)signal(SIGHUP, SIG_IGN);  /* these are for the master, whoever else they are sent to */
    (void)signal(SIGUSR2, SIG_IGN);
    int fd = signalfd(-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    *signal_fd_r = fd;
    return 0;
}

void
child_ready(const struct heritage *heritage)
{
    ssize_t written = write(heritage->fds[HERITAGE_FD_READY], "R", 1);
    if (written != 1)
        log_write(LOG_LEVEL_WARNING, "cannot tell the master that this process is ready",
                  LOG_FIELDS(log_error(errno)));
    (void)close(heritage->fds[HERITAGE_FD_READY]);
}

bool
child_is_orphan(const struct heritage *heritage)
{
    return getppid() != heritage->master_pid;
}

static enum child_order
order_of(uint32_t signal_number)
{
    switch (signal_number) {
    case SIGUSR1:
        return CHILD_ORDER_REOPEN;
    case SIGINT:
        return CHILD_ORDER_RETIRE;
    default:
        return CHILD_ORDER_DRAIN;
    }
}

enum child_order
child_order(int signal_fd)
{
    enum child_order order = CHILD_ORDER_NONE;
    struct signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGQUIT) {
            log_write(LOG_LEVEL_INFO, "stopping at once", NULL);
            _exit(0);
        }
        if (order_of(info.ssi_signo) > order)
            order = order_of(info.ssi_signo);
    }
    return order;
}
