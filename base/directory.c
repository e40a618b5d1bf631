/* directory.c -- reading a directory. Used by every process. */
#include "base/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
directory_read(int directory_fd, const char *path, directory_visit visit, void *context)
{
    int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    int result = 0;
    while (result == 0) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            result = -errno;
            break;
        }
        result = visit(context, entry);
    }
    (void)closedir(directory);
    return result;
}
