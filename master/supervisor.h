/* supervisor.h -- the master's event loop: serving, then draining or stopping.
 *
 *   SERVING --TERM, INT, no worker can serve--> DRAINING_WORKERS --all gone--> DRAINING_COLLECTOR
 * --it ended--> STOPPING --all gone--> exit; any of them --QUIT--> STOPPING
 *
 * Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_SUPERVISOR_H
#define MYGRPCADAPTER_MASTER_SUPERVISOR_H

#include <stdint.h>

struct heritage;
struct listener;

/* Blocks the signals that supervisor_run() handles, and ignores SIGPIPE. Call it first, so that an
 * order to end that comes during the start-up waits for the loop. */
void supervisor_block_signals(void);

/* Forks all children and supervises them until they are to end and have ended. `common` (borrowed)
 * is what every child inherits; common->listener_fd belongs to *listener, which is closed (and
 * NULLed) when draining begins. Prints `listening on "NAME"` on standard output when every worker
 * serves. Returns the exit code of the program: 0, EX_SOFTWARE when no worker could serve,
 * EX_TEMPFAIL when not everything was merged, EX_OSERR without an event loop. */
int supervisor_run(const struct heritage *common, uint64_t next_incarnation,
                   struct listener **listener);

#endif
