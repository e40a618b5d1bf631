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

struct admission;
struct scoreboard;
struct settings;

struct heritage {
    const struct settings *settings;
    struct scoreboard *scoreboard;
    struct admission *admission;

    pid_t master_pid;
    uint32_t slot; /* workers: 0 to worker_count-1; the collector: worker_count; the admin process:
                      worker_count + 1 */
    uint32_t worker_count;
    uint64_t incarnation; /* of this child; unique among all segments on the volume */

    int listener_fd;     /* bound, listening, non-blocking; -1 in others than workers */
    int admin_fd;        /* the same for admin.address; -1 in others than the admin process, and if
                            there is none */
    int segments_fd;     /* the segment directory */
    int root_fd;         /* output.root */
    int ready_fd;        /* write one byte when ready to serve, then close */
    int life_fd;         /* read end of a pipe nobody writes to: end of file = the master is gone */
    int collector_fd;    /* eventfd that wakes the collector */
    const int *turn_fds; /* worker_count eventfds: [i] tells worker i that its turn to accept may
                            have come */
};

#endif
