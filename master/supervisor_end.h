/* supervisor_end.h -- the way of a supervisor from serving to its end. Used by the master, by
 * supervisor.c alone. */
#ifndef MYGRPCADAPTER_MASTER_SUPERVISOR_END_H
#define MYGRPCADAPTER_MASTER_SUPERVISOR_END_H

#include <stdint.h>

struct supervisor;

/* What a worker has between the order to drain and SIGKILL. */
uint64_t supervisor_worker_patience_ms(const struct supervisor *supervisor);

/* Begins to drain, unless it is too late for that. The program will end with that exit code, or
 * with another one that says what became of the drain. */
void supervisor_drain(struct supervisor *supervisor, int exit_code, const char *reason);

/* Tells everybody to end at once, unless that has been done. */
void supervisor_stop(struct supervisor *supervisor);

/* In DRAINING_WORKERS, DRAINING_COLLECTOR and STOPPING: takes the next step, if it is time for it.
 */
void supervisor_go_on_ending(struct supervisor *supervisor, uint64_t now_ms);

#endif
