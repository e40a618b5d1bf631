/* heritage.h -- all that crosses fork(): what a child inherits from the master,
 * and nothing else.
 *
 * The master fills one before each fork; the child reads it and never writes it. Descriptors not
 * named here are closed in the child (common/child.c).
 */
#ifndef MYGRPCADAPTER_COMMON_HERITAGE_H
#define MYGRPCADAPTER_COMMON_HERITAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/role.h"

struct admission;
struct scoreboard;
struct settings;

/* The descriptors, by name. Which role has which is said in master/crew/spawn.c; the others have -1
 * in its place. */
enum heritage_fd {
    /* A socket: bound, listening, non-blocking. */
    HERITAGE_FD_LISTENER,
    /* The same for admin.address; -1 if there is none. */
    HERITAGE_FD_ADMIN,
    /* The segment directory. */
    HERITAGE_FD_SEGMENTS,
    /* The directory output.root. */
    HERITAGE_FD_ROOT,
    /* Write one byte to it when ready to serve, then close it. */
    HERITAGE_FD_READY,
    /* The read end of a pipe that nobody writes to: its end of file says that the master is gone.
     */
    HERITAGE_FD_LIFE,
    /* The eventfd that wakes the collector. */
    HERITAGE_FD_COLLECTOR_WAKEUP,
    /* How many there are. */
    HERITAGE_FDS,
};

struct heritage {
    const struct settings *settings;
    struct scoreboard *scoreboard;
    struct admission *admission;

    pid_t master_pid;
    enum role role;
    /* The process's place in the scoreboard. The workers have the first ones, 0 to worker_count-1.
     */
    uint32_t slot;
    uint32_t worker_count;
    /* Of this child; unique among all segments on the volume. */
    uint64_t incarnation;

    int fds[HERITAGE_FDS];
    /* worker_count eventfds: [i] tells worker i that its turn to accept may have come. NULL in
     * others than workers. */
    const int *turn_fds;
};

#endif
