/* supervisor.h -- the master's event loop: serving, then draining or stopping (phase.h). Used by
 * the master. */
#ifndef MYGRPCADAPTER_MASTER_SUPERVISOR_H
#define MYGRPCADAPTER_MASTER_SUPERVISOR_H

#include <stdbool.h>

struct handover;
struct heritage;
struct listener;

/* Blocks the signals that supervisor_run() handles, and ignores SIGPIPE. Call it first, so that an
 * order to end that comes during the start-up waits for the loop. */
void supervisor_block_signals(void);

/* Forks all children and supervises them until they are to end and have ended, or until HUP or
 * USR2 has another program take their place (master/takeover/reload.h). `common` (borrowed) is
 * what every child inherits; its HERITAGE_FD_LISTENER belongs to *listener, which is closed (and
 * NULLed) when draining begins. *handover (borrowed) is what came from the program before, or
 * what a first one begins with, and becomes what the next one gets; `taking_over` says which;
 * `argv` (borrowed) is the command line. When every worker serves, prints `listening on "NAME"`
 * on standard output, or, taking over, tells the old workers to drain. Returns the exit code of
 * the program: 0, EX_SOFTWARE when no worker could serve, EX_TEMPFAIL when not everything was
 * merged, EX_OSERR without an event loop. */
int supervisor_run(const struct heritage *common, struct handover *handover, bool taking_over,
                   char *const argv[], struct listener **listener);

#endif
