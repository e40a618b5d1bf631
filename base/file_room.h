/* file_room.h -- takes the room of a file on its volume before anything is stored in it. Used by
 * workers, and by the master's look at a volume. */
#ifndef MYGRPCADAPTER_BASE_FILE_ROOM_H
#define MYGRPCADAPTER_BASE_FILE_ROOM_H

#include <stdint.h>

/* Gives a new, empty file `bytes` bytes of zeros that have their blocks. Where the file system has
 * no fallocate(2) (NFS 3, most of FUSE, old ZFS), the zeros are written in pieces of a MiB: the C
 * library's stand-in makes a call for each block. Returns 0 or a negative errno (-ENOSPC: there is
 * no such room); then the file is of any size. */
int file_take_room(int fd, uint64_t bytes);

#endif
