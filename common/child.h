/* child.h -- what every forked child does first and last: signals, orphan detection, inherited
 * descriptors. Used by the children, right after fork() in a single-threaded process, and by the
 * master, which gives them orders.
 */
#ifndef MYGRPCADAPTER_COMMON_CHILD_H
#define MYGRPCADAPTER_COMMON_CHILD_H

#include <stdbool.h>

struct heritage;

/* What the master wants of a child, each by a signal of its own; of several, the most urgent
 * counts. */
enum child_order {
    CHILD_ORDER_NONE,
    /* SIGUSR1: let go of outputs. Means something to the collector only. */
    CHILD_ORDER_REOPEN,
    /* SIGINT: drain while others serve on. There is time to be polite. */
    CHILD_ORDER_RETIRE,
    /* SIGTERM: finish and end. */
    CHILD_ORDER_DRAIN,
    /* SIGQUIT: end at once. */
    CHILD_ORDER_STOP,
};

/* Makes the process a child that cannot outlive its master unnoticed: it is told to drain when
 * the master dies, and ends at once if the master is dead already. Closes every descriptor that
 * is not in the heritage, and names the process and its log lines after its role. The signals
 * that are orders stay blocked; *signal_fd_r receives a non-blocking signalfd for them, owned by
 * the caller. They must be blocked already, and SIGHUP and SIGUSR2 too, so that none is lost or
 * deadly before. Returns 0 or a negative errno. */
int child_begin(const struct heritage *heritage, int *signal_fd_r);

/* Tells the master that this child serves. */
void child_ready(const struct heritage *heritage);

/* True once the master is gone. */
bool child_is_orphan(const struct heritage *heritage);

/* The most urgent order that a signalfd holds. CHILD_ORDER_STOP is never returned: it ends the
 * process here. */
enum child_order child_order(int signal_fd);

/* The signal that is that order; for the master. CHILD_ORDER_NONE has none. */
int child_order_signal(enum child_order order);

#endif
