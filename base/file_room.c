/* file_room.c -- by fallocate(2), or by zeros; file_room.h. */
#include "base/file_room.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/invariant.h"

#define PIECE_BYTES ((size_t)1 << 20)

static int
write_zeros(int fd, uint64_t bytes)
{
    /* Nobody writes to it, so it takes no memory. */
    static char zeros[PIECE_BYTES];
    uint64_t at = 0;
    while (at < bytes) {
        size_t size = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        ssize_t written = pwrite(fd, zeros, size, (off_t)at);
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        at += (uint64_t)written;
    }
    return 0;
}

int
file_take_room(int fd, uint64_t bytes)
{
    INVARIANT(bytes > 0);
    if (fallocate(fd, 0, 0, (off_t)bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
    return write_zeros(fd, bytes);
}
