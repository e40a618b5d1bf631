/* outlet.c -- one write, by the way that never waits. Runs in every process. */
#include "base/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/descriptors.h"

void
outlet_open(struct outlet *outlet, int fd)
{
    char path[32];
    struct stat status;
    *outlet = (struct outlet)OUTLET_CLOSED(fd);
    if (fstat(fd, &status) != 0)
        return;
    outlet->is_socket = S_ISSOCK(status.st_mode);
    outlet->is_file = S_ISREG(status.st_mode);
    /* The description of a file holds where everybody writes. */
    if (outlet->is_socket || outlet->is_file)
        return;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    outlet->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Whether there is room at this moment: 0 or a negative errno. */
static int
look_for_room(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLOUT};
    int ready = poll(&watched, 1, 0);
    if (ready < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if ((watched.revents & POLLNVAL) != 0)
        return -EBADF;
    return ready > 0 ? 0 : -EAGAIN;
}

ssize_t
outlet_write(const struct outlet *outlet, const struct iovec *parts, size_t count)
{
    ssize_t written;
    if (outlet->is_socket) {
        struct msghdr message = {.msg_iov = bytes_unconst(parts), .msg_iovlen = count};
        written = sendmsg(outlet->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (outlet->own_fd >= 0) {
        written = writev(outlet->own_fd, parts, (int)count);
    } else {
        int result = outlet->is_file ? 0 : look_for_room(outlet->fd);
        if (result != 0)
            return result;
        written = writev(outlet->fd, parts, (int)count);
    }
    return written >= 0 ? written : -errno;
}

void
outlet_close(struct outlet *outlet)
{
    descriptor_close(&outlet->own_fd);
}
