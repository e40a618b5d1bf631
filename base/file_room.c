/* file_room.c -- by fallocate(2), or by zeros; file_room.h. */
#include "base/file_room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
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

/* Has btrfs write the blocks where they are instead of copying them, for which it would need room
 * again with each store. Must come before the file has any. Records have checksums of their own. */
static void
forbid_copies(int fd)
{
    struct statfs status;
    int flags = 0;
    if (fstatfs(fd, &status) != 0 || status.f_type != BTRFS_SUPER_MAGIC ||
        ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
        return;
    flags |= FS_NOCOW_FL;
    (void)ioctl(fd, FS_IOC_SETFLAGS, &flags); /* else a full volume is seen at a store */
}

int
file_take_room(int fd, uint64_t bytes)
{
    INVARIANT(bytes > 0);
    forbid_copies(fd);
    if (fallocate(fd, 0, 0, (off_t)bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
    return write_zeros(fd, bytes);
}
