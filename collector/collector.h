/* collector.h -- the process that merges the workers' segments into the outputs. Forked by the
 * master. */
#ifndef MYGRPCADAPTER_COLLECTOR_COLLECTOR_H
#define MYGRPCADAPTER_COLLECTOR_COLLECTOR_H

struct heritage;

/* Runs the collector to its end, in a process just forked. Returns its exit code: 0 once it was
 * told to drain and every segment is merged, 75 (EX_TEMPFAIL) if that took too long, 1 on a failure
 * that a new collector may overcome. */
int collector_main(const struct heritage *heritage);

#endif
