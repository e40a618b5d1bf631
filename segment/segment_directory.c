/* segment_directory.c -- makes what a segment directory needs beside its files. Runs in the
 * collector. */
#include "segment/segment_directory.h"

#include <errno.h>
#include <sys/stat.h>

#define QUARANTINE_MODE 0700

int
segment_directory_make_quarantine(int directory_fd)
{
    if (mkdirat(directory_fd, SEGMENT_DIRECTORY_QUARANTINE, QUARANTINE_MODE) != 0 &&
        errno != EEXIST)
        return -errno;
    return 0;
}
