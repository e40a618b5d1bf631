/* lock_file.c -- takes locks, and finds out whether they are worth something. Runs in the master
 * and in the collector. */
#include "common/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_MODE 0600

int
lock_file_open(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);
    return fd >= 0 ? fd : -errno;
}

bool
lock_file_is_named(int directory_fd, const char *name, int fd)
{
    struct stat named;
    struct stat opened;
    return fstatat(directory_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

int
lock_file_open_directory(int directory_fd)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int
lock_file_try(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EINTR ? -EWOULDBLOCK : -errno;
}

bool
lock_file_is_unsupported(int error)
{
    return error == -EBADF || error == -EINVAL || error == -EOPNOTSUPP || error == -ENOLCK ||
           error == -ENOSYS || error == -EISDIR;
}
