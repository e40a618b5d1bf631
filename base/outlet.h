/* outlet.h -- writes to a descriptor that others share, and never waits for its reader.
 *
 * Standard error and standard output belong to whoever started the adapter: a pipe that nobody
 * reads, a terminal that is held, a socket of the journal. To make such a descriptor non-blocking
 * would make it so for everybody who has it. So the file is opened once more, for a description of
 * our own. Where that cannot be done, the descriptor is asked for room before each write, and only
 * a write of another process in between can still hold one up. A regular file needs none of this.
 * Used by every process.
 */
#ifndef MYGRPCADAPTER_BASE_OUTLET_H
#define MYGRPCADAPTER_BASE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct outlet {
    /* The shared one; borrowed. */
    int fd;

    /* The same file, non-blocking, with a description of our own; -1 where there is none. */
    int own_fd;

    bool is_socket;

    /* A regular file, which always has room. */
    bool is_file;
};

/* An outlet that has not been opened: it asks for room before each write. */
#define OUTLET_CLOSED(shared_fd)                                                                   \
    {                                                                                              \
        .fd = (shared_fd), .own_fd = -1                                                            \
    }

/* Opens the file of `fd` once more, if that can be done and is of use. It stays open, closed on
 * exec, until outlet_close(). */
void outlet_open(struct outlet *outlet, int fd);

/* Writes, without waiting. Returns how many bytes were taken, or a negative errno; -EAGAIN: there
 * is no room now. Up to PIPE_BUF bytes a pipe takes whole or not at all. */
ssize_t outlet_write(const struct outlet *outlet, const struct iovec *parts, size_t count);

/* Closes what outlet_open() has opened; the outlet can still be written to. */
void outlet_close(struct outlet *outlet);

#endif
