/* descriptors.c -- the kernel gives the lowest descriptor that is free, which tells how many are
 * taken without a count of ours. Runs in every process. */
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

bool
descriptors_above(int fd, unsigned count)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           (rlim_t)fd + 1 + count <= limit.rlim_cur;
}

bool
descriptors_left(unsigned count)
{
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (lowest < 0)
        return false;
    (void)close(lowest);
    return count == 0 || descriptors_above(lowest, count - 1);
}

void
descriptor_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}
