/* status_find.c -- from the lock of a segment directory to the memory of the process that holds it.
 *
 * The lock file names a pid, which may be long gone and given to another, or be of another container's
 * numbers: it is believed only if that process has the very lock file open.
 */
#include "commands/status/status_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/scoreboard.h"

#define LOCK_NAME "lock"
#define MEMORY_LINK "/memfd:" SCOREBOARD_NAME

/* The lock file, and the pid in it; a negative errno, -ESRCH if there is none or it is empty. */
static int
read_lock(int directory_fd, struct stat *lock_r, pid_t *pid_r)
{
    char text[24] = "";
    int fd = openat(directory_fd, LOCK_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    int result = size < 0 || fstat(fd, lock_r) != 0 ? -errno : 0;
    (void)close(fd);
    if (result != 0)
        return result;
    *pid_r = (pid_t)strtol(text, NULL, 10);
    return *pid_r > 0 ? 0 : -ESRCH;
}

static bool
is_scoreboard(int fds, const char *name)
{
    char link[sizeof(MEMORY_LINK)];
    ssize_t size = readlinkat(fds, name, link, sizeof(link));
    return size >= (ssize_t)strlen(MEMORY_LINK) &&
           memcmp(link, MEMORY_LINK, strlen(MEMORY_LINK)) == 0;
}

/* Looks through a process's descriptors: 0 and that of its scoreboard, if it has the lock file open. */
static int
find_memory(DIR *directory, const struct stat *lock, int *fd_r)
{
    struct stat status = {.st_ino = 0};
    bool holds = false;
    int result = -ESRCH;
    int fds = dirfd(directory);
    const struct dirent *entry;
    *fd_r = -1;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (fstatat(fds, entry->d_name, &status, 0) == 0 && status.st_dev == lock->st_dev &&
            status.st_ino == lock->st_ino)
            holds = true;
        if (*fd_r < 0 && is_scoreboard(fds, entry->d_name)) {
            *fd_r = openat(fds, entry->d_name, O_RDONLY | O_CLOEXEC);
            result = *fd_r < 0 ? -errno : 0;
        }
    }
    if (result == 0 && holds)
        return 0;
    if (*fd_r >= 0)
        (void)close(*fd_r);
    return result == 0 ? -ESRCH : result;
}

int
status_find(const struct scoreboard **out, int directory_fd, pid_t *pid_r)
{
    char path[48];
    struct stat lock = {.st_ino = 0};
    int memory_fd = -1;
    *pid_r = 0;
    int result = read_lock(directory_fd, &lock, pid_r);
    if (result != 0)
        return result;
    (void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)*pid_r);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno == ENOENT ? -ESRCH : -errno;
    result = find_memory(directory, &lock, &memory_fd);
    (void)closedir(directory);
    if (result != 0)
        return result;
    result = scoreboard_attach(out, memory_fd);
    (void)close(memory_fd);
    return result;
}
