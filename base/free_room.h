/* free_room.h -- how much room a volume has left. Used by the workers and the admin process. */
#ifndef MYGRPCADAPTER_BASE_FREE_ROOM_H
#define MYGRPCADAPTER_BASE_FREE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/* How many bytes are free for anybody on the volume of an open file. Returns false, with 0 in
 * *bytes_r, if that cannot be known: some file systems (a tmpfs without a size, some of FUSE) have
 * no size to tell of. */
bool free_room_find(int fd, uint64_t *bytes_r);

#endif
