/* free_room.h -- how much room a volume has left. Used by the workers and the admin process. */
#ifndef MYGRPCADAPTER_BASE_FREE_ROOM_H
#define MYGRPCADAPTER_BASE_FREE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct free_room {
    uint64_t free_bytes;  /* for anybody */
    uint64_t total_bytes; /* of the volume */
};

/* How much room there is on the volume of an open file. Returns false, with zeros, if that cannot
 * be known: some file systems (a tmpfs without a size, some of FUSE) have no size to tell of. */
bool free_room_find(int fd, struct free_room *room_r);

#endif
