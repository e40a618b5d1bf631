/* child.c -- the first steps of a forked child, the same for all roles. Runs in the children; the
 * numbers of the signals are looked up in the master, too. */
#include "common/child.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/invariant.h"
#include "base/log.h"
#include "common/heritage.h"
#include "common/role.h"
#include "common/scoreboard.h"

/* What a signal means to a child. One that is an order is blocked and waits for child_order();
 * one that is none is ignored, or left to do what the system has it do. */
struct signal_rule {
    int number;
    bool is_ignored;
    enum child_order order;
};

static const struct signal_rule signal_rules[] = {
    {.number = SIGUSR1, .order = CHILD_ORDER_REOPEN},
    {.number = SIGINT, .order = CHILD_ORDER_RETIRE},
    {.number = SIGTERM, .order = CHILD_ORDER_DRAIN},
    {.number = SIGQUIT, .order = CHILD_ORDER_STOP},
    /* These two are for the master, whoever else they are sent to. */
    {.number = SIGHUP, .is_ignored = true},
    {.number = SIGUSR2, .is_ignored = true},
    /* A closed peer is a return code. */
    {.number = SIGPIPE, .is_ignored = true},
    /* A file at the limit on its size is one, too. */
    {.number = SIGXFSZ, .is_ignored = true},
    /* The master, or who started it, may have made something else of these. */
    {.number = SIGCHLD},
    {.number = SIGABRT},
};

#define SIGNAL_RULES (sizeof(signal_rules) / sizeof(signal_rules[0]))

/* ---- the first steps */

static int
compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes everything above standard error that neither the heritage names nor the log uses: the
 * holes between those. */
static void
close_strangers(const struct heritage *heritage)
{
    int kept[HERITAGE_FDS + SCOREBOARD_WORKERS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < HERITAGE_FDS; i++) {
        if (heritage->fds[i] >= 0)
            kept[count++] = heritage->fds[i];
    }
    INVARIANT(heritage->worker_count <= SCOREBOARD_WORKERS_MAX);
    for (uint32_t i = 0; heritage->turn_fds != NULL && i < heritage->worker_count; i++)
        kept[count++] = heritage->turn_fds[i];
    if (log_outlet_fd() >= 0)
        kept[count++] = log_outlet_fd();
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

/* Has each signal do what the table says, and blocks the orders. Returns a signalfd for them, or a
 * negative errno. */
static int
take_signals(void)
{
    sigset_t orders;
    (void)sigemptyset(&orders);
    for (size_t i = 0; i < SIGNAL_RULES; i++) {
        const struct signal_rule *rule = &signal_rules[i];
        /* Before the mask, which lets through what is no order. */
        (void)signal(rule->number, rule->is_ignored ? SIG_IGN : SIG_DFL);
        if (rule->order != CHILD_ORDER_NONE)
            (void)sigaddset(&orders, rule->number);
    }
    if (sigprocmask(SIG_SETMASK, &orders, NULL) != 0)
        return -errno;
    int fd = signalfd(-1, &orders, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int
child_begin(const struct heritage *heritage, int *signal_fd_r)
{
    enum role role = heritage->role;
    log_identify(role_name(role), role_is_numbered(role) ? heritage->slot : LOG_NO_SLOT);
    (void)prctl(PR_SET_NAME, role_process_name(role));
    /* First ask for the signal, then look: in the other order a master that dies in between goes
     * unnoticed. */
    if (prctl(PR_SET_PDEATHSIG, child_order_signal(CHILD_ORDER_DRAIN)) != 0)
        return -errno;
    if (child_is_orphan(heritage))
        _exit(0);
    close_strangers(heritage);
    int fd = take_signals();
    if (fd < 0)
        return fd;
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

/* ---- orders */

int
child_order_signal(enum child_order order)
{
    INVARIANT(order != CHILD_ORDER_NONE);
    for (size_t i = 0; i < SIGNAL_RULES; i++) {
        if (signal_rules[i].order == order)
            return signal_rules[i].number;
    }
    INVARIANT(false); /* each order has a signal */
    return 0;
}

static enum child_order
order_of(uint32_t signal_number)
{
    for (size_t i = 0; i < SIGNAL_RULES; i++) {
        if ((uint32_t)signal_rules[i].number == signal_number)
            return signal_rules[i].order;
    }
    INVARIANT(false); /* the signalfd holds no others */
    return CHILD_ORDER_NONE;
}

enum child_order
child_order(int signal_fd)
{
    enum child_order most_urgent = CHILD_ORDER_NONE;
    struct signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        enum child_order order = order_of(info.ssi_signo);
        if (order > most_urgent)
            most_urgent = order;
    }
    if (most_urgent == CHILD_ORDER_STOP) {
        log_write(LOG_LEVEL_INFO, "stopping at once", NULL);
        _exit(0);
    }
    return most_urgent;
}
