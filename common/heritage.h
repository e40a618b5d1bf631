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

/* FD(name, heirs): every descriptor, and the roles that have it, as `1U << ROLE_...`; in the other
 * roles it is -1. */
#define HERITAGE_FD_LIST(FD)                                                                       \
    /* A socket: bound, listening, non-blocking. */                                                \
    FD(LISTENER, HERITAGE_WORKER)                                                                  \
    /* The same for admin.address; -1 if there is none. */                                         \
    FD(ADMIN, HERITAGE_ADMIN)                                                                      \
    /* The segment directory. */                                                                   \
    FD(SEGMENTS, HERITAGE_EVERYBODY)                                                               \
    /* The directory output.root. */                                                               \
    FD(ROOT, HERITAGE_EVERYBODY)                                                                   \
    /* The child writes one byte to it when it is ready to serve, then closes it. */               \
    FD(READY, HERITAGE_EVERYBODY)                                                                  \
    /* The read end of a pipe that nobody writes to. Its end says that the master is gone. */      \
    FD(LIFE, HERITAGE_EVERYBODY)                                                                   \
    /* The eventfd that wakes the collector. */                                                    \
    FD(COLLECTOR_WAKEUP, HERITAGE_WORKER | HERITAGE_COLLECTOR)

#define HERITAGE_WORKER (1U << ROLE_WORKER)
#define HERITAGE_COLLECTOR (1U << ROLE_COLLECTOR)
#define HERITAGE_ADMIN (1U << ROLE_ADMIN)
#define HERITAGE_EVERYBODY ((1U << ROLES) - 1)

/* clang-format off */
enum heritage_fd {
#define HERITAGE_FD_ENUMERATOR(name, heirs) HERITAGE_FD_##name,
    HERITAGE_FD_LIST(HERITAGE_FD_ENUMERATOR)
#undef HERITAGE_FD_ENUMERATOR
    /* How many there are. */
    HERITAGE_FDS,
};
/* clang-format on */

struct heritage {
    const struct settings *settings;
    struct scoreboard *scoreboard;
    struct admission *admission;

    pid_t master_pid;
    enum role role;
    /* The process's place in the scoreboard. The workers have the first places, from 0 on. */
    uint32_t slot;
    uint32_t worker_count;
    /* Of this child; unique among all segments on the volume. */
    uint64_t incarnation;

    int fds[HERITAGE_FDS];
    /* In a worker an eventfd for each worker, to be told that its turn to accept may have come; in
     * other roles NULL. */
    const int *turn_fds;
};

#endif
