/* free_room.c -- by fstatvfs(3); free_room.h. */
#include "base/free_room.h"

#include <sys/statvfs.h>

/* Bytes of so many blocks. */
static bool
bytes_of(const struct statvfs *status, fsblkcnt_t blocks, uint64_t *bytes_r)
{
    uint64_t block_bytes = status->f_frsize != 0 ? status->f_frsize : status->f_bsize;
    return block_bytes != 0 && !__builtin_mul_overflow(blocks, block_bytes, bytes_r);
}

bool
free_room_find(int fd, struct free_room *room_r)
{
    struct statvfs status;
    struct free_room room;
    *room_r = (struct free_room){0};
    if (fstatvfs(fd, &status) != 0 || status.f_blocks == 0 || status.f_bavail > status.f_blocks ||
        !bytes_of(&status, status.f_bavail, &room.free_bytes) ||
        !bytes_of(&status, status.f_blocks, &room.total_bytes))
        return false;
    *room_r = room;
    return true;
}
