/* master.h -- the master process: opens what the children inherit, then supervises them. */
#ifndef MYGRPCADAPTER_MASTER_MASTER_H
#define MYGRPCADAPTER_MASTER_MASTER_H

struct handover;
struct settings;

/* Serves until told to end. *handover (owned by the call) is what the program before in this
 * process left, NULL if this is the first; `argv` is the command line. Returns the exit code of
 * the program; a start-up that cannot succeed ends in die(), with nothing left running.
 * `settings` must outlive the call. */
int master_run(const struct settings *settings, struct handover *handover, char *const argv[]);

#endif
