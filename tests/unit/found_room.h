/* found_room.h -- how much room a volume has, as a test wants it: what is defined in the test
 * program comes before what libc has of that name. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_FOUND_ROOM_H
#define MYGRPCADAPTER_TESTS_UNIT_FOUND_ROOM_H

#include <errno.h>
#include <stddef.h>
#include <sys/statvfs.h>

#define ROOM_BLOCK_BYTES 4096U

/* What fstatvfs() finds: the first as often as `room_skip` says, then the second. */
static struct statvfs room_found[2];
static unsigned room_skip;

/* An errno with which it fails; 0 = it does not. */
static int room_error;

int found_fstatvfs(int fd, struct statvfs *status) __asm__("fstatvfs");

int
found_fstatvfs(int fd, struct statvfs *status)
{
    (void)fd;
    *status = room_found[room_skip > 0 ? 0 : 1];
    room_skip -= room_skip > 0 ? 1 : 0;
    errno = room_error;
    return room_error == 0 ? 0 : -1;
}

/* A large volume with so many bytes free. */
static inline struct statvfs
room_of(unsigned long bytes)
{
    unsigned long blocks = bytes / ROOM_BLOCK_BYTES;
    return (struct statvfs){.f_bsize = 1 << 20,
                            .f_frsize = ROOM_BLOCK_BYTES,
                            .f_blocks = blocks + (1 << 20),
                            .f_bfree = blocks + 1,
                            .f_bavail = blocks};
}

/* From now on so many bytes are free. */
static inline void
room_set(unsigned long bytes)
{
    room_error = 0;
    room_skip = 0;
    room_found[1] = room_of(bytes);
}

#endif
