/* worker.h -- the process that serves gRPC and appends what it accepts to its own segments. Forked
 * by the master. */
#ifndef MYGRPCADAPTER_WORKER_WORKER_H
#define MYGRPCADAPTER_WORKER_WORKER_H

struct heritage;

/* Runs a worker to its end, in a process just forked. Returns its exit code: 0 once it was told to
 * drain and has, 1 on a failure that a new worker may overcome. */
int worker_main(const struct heritage *heritage);

#endif
