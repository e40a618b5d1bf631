/* event.c -- posting an eventfd(2). Used by every process. */
#include "base/event.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

void
event_post(int event_fd)
{
    static const uint64_t one = 1;
    int saved_errno = errno;
    ssize_t written = write(event_fd, &one, sizeof(one));
    (void)written;
    errno = saved_errno;
}
