/* child.h -- what every forked child does first and last: signals, orphan detection, inherited
 * descriptors. Used by workers and the collector, right after fork() in a single-threaded process.
 */
#ifndef MYGRPCADAPTER_COMMON_CHILD_H
#define MYGRPCADAPTER_COMMON_CHILD_H

#include <stdbool.h>

struct heritage;

/* Makes the process a child that cannot outlive its master unnoticed: SIGTERM when the master dies,
 * and exit at once if it is dead already; closes every descriptor that is not in the heritage;
 * gives the process the name `name` (at most 15 characters) and its log lines `role`. SIGTERM,
 * SIGINT, SIGQUIT and SIGUSR1 stay blocked; *signal_fd_r receives a non-blocking signalfd for them,
 * owned by the caller. Returns 0 or a negative errno. */
int child_begin(const struct heritage *heritage, const char *name, const char *role,
                int *signal_fd_r);

/* Tells the master that this child serves. */
void child_ready(const struct heritage *heritage);

/* True once the master is gone. */
bool child_is_orphan(const struct heritage *heritage);

/* What the master wants of a child; of several, the most urgent counts. */
enum child_order {
    CHILD_ORDER_NONE,
    CHILD_ORDER_REOPEN, /* SIGUSR1: let go of outputs; means something to the collector only */
    CHILD_ORDER_RETIRE, /* SIGINT: drain, with others who serve on: there is time to be polite */
    CHILD_ORDER_DRAIN,  /* SIGTERM: finish and end */
};

/* The most urgent order that a signalfd holds. SIGQUIT ends the process at once, here. */
enum child_order child_order(int signal_fd);

#endif
