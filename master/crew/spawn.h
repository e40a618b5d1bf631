/* spawn.h -- forks one child.
 *
 * The one place of the master that knows the entry points of the children. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_CREW_SPAWN_H
#define MYGRPCADAPTER_MASTER_CREW_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include "common/role.h"

struct heritage;

/* Forks a child for `slot` with what *common holds, as far as it is for its role, and the child's
 * own part filled in. Must be called from the main thread: the child asks for a signal on the
 * death of the thread that forked it. The signals that supervisor_block_signals() names must be
 * blocked, and stay so in the child until it can take them. On success returns 0 with the pid and
 * the non-blocking read end of the child's readiness pipe, owned by the caller: one byte means
 * ready. Else returns a negative errno. */
int spawn_child(const struct heritage *common, enum role role, uint32_t slot, uint64_t incarnation,
                pid_t *pid_r, int *ready_fd_r);

#endif
