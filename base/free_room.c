/* free_room.c -- by fstatvfs(3); free_room.h. */
#include "base/free_room.h"

#include <sys/statvfs.h>

bool
free_room_find(int fd, uint64_t *bytes_r)
{
    struct statvfs status;
    *bytes_r = 0;
    if (fstatvfs(fd, &status) != 0 || status.f_blocks == 0 || status.f_bavail > status.f_blocks)
        return false;
    uint64_t block_bytes = status.f_frsize != 0 ? status.f_frsize : status.f_bsize;
    uint64_t bytes;
    if (block_bytes == 0 || __builtin_mul_overflow(status.f_bavail, block_bytes, &bytes))
        return false;
    *bytes_r = bytes;
    return true;
}
