/* process_limits.h -- what the system lets one process have, held against what the settings ask
 * for. Used by the master before it forks, and by `-t`.
 */
#ifndef MYGRPCADAPTER_MASTER_PROCESS_LIMITS_H
#define MYGRPCADAPTER_MASTER_PROCESS_LIMITS_H

struct complaint;
struct settings;

/* Has this process, and its children, have as many descriptors as it may (RLIMIT_NOFILE). */
void process_limits_raise(void);

/* Whether a worker and the collector can work at all with the descriptors that one may have.
 * Returns 0, or an exit code and what is wrong in *complaint. */
int process_limits_check(const struct settings *settings, struct complaint *complaint);

/* Logs a warning for each setting that the limits do not let be reached. */
void process_limits_warn(const struct settings *settings);

#endif
