/* master.h -- the master process: opens what the children inherit, then supervises them. */
#ifndef MYGRPCADAPTER_MASTER_MASTER_H
#define MYGRPCADAPTER_MASTER_MASTER_H

struct settings;

/* Serves until told to end. Returns the exit code of the program; a start-up that cannot succeed
 * ends in die(), with nothing left running. `settings` must outlive the call. */
int master_run(const struct settings *settings);

#endif
