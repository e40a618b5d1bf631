/* rename.c -- one call, and what stands in for it; rename.h. Runs in every process. */
#include "base/rename.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
are_one_file(int from_fd, const char *from, int to_fd, const char *to)
{
    struct stat a;
    struct stat b;
    return fstatat(from_fd, from, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(to_fd, to, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Whoever removes a file with two names may have taken the old one first. */
static int
remove_old_name(int fd, const char *name)
{
    return unlinkat(fd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

/* The last resort: looks, then renames. */
static int
rename_after_look(int from_fd, const char *from, int to_fd, const char *to)
{
    if (faccessat(to_fd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (errno != ENOENT)
        return -errno;
    return renameat(from_fd, from, to_fd, to) == 0 ? 0 : -errno;
}

static int
rename_by_link(int from_fd, const char *from, int to_fd, const char *to)
{
    if (linkat(from_fd, from, to_fd, to, 0) == 0)
        return remove_old_name(from_fd, from);
    switch (errno) {
    case EPERM:
    case EOPNOTSUPP:
    case ENOSYS:
    case EMLINK:
        return rename_after_look(from_fd, from, to_fd, to);
    default:
        return -errno;
    }
}

int
rename_noreplace(int from_fd, const char *from, int to_fd, const char *to)
{
    int result = 0;
    if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) != 0)
        result = -errno;
    if (result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP)
        result = rename_by_link(from_fd, from, to_fd, to);
    if (result == -EEXIST && are_one_file(from_fd, from, to_fd, to))
        result = remove_old_name(from_fd, from);
    return result;
}
