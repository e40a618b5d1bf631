/* status_find.c -- from the lock of a segment directory to the memory of the process that holds it.
 * Runs in the process of `mygrpcadapter status`.
 *
 * The lock file names a pid. The process with that pid may have ended long ago and its number been
 * given to another, or the number may be one of another container's. So a process is believed only
 * if it has this very lock file open. Where the path of the directory leads elsewhere now, all
 * processes are looked through for a scoreboard that has the path.
 */
#include "commands/status/status_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "common/scoreboard.h"
#include "segment/segment_directory.h"

#define MEMORY_LINK "/memfd:" SCOREBOARD_NAME

/* What a look through a process's descriptors has found. */
struct search {
    /* /proc/PID/fd, open. */
    int fds;
    /* NULL: any lock will do. */
    const struct stat *lock;
    bool holds_lock;
    /* Of its scoreboard, opened anew; -1: none yet. */
    int memory_fd;
};

/* Finds out which file the lock is, and the pid in it. Returns 0 or a negative errno, -ESRCH if
 * there is no lock file or no pid in it. */
static int
read_lock(int directory_fd, struct stat *lock_r, pid_t *pid_r)
{
    char text[24] = "";
    int fd = openat(directory_fd, SEGMENT_DIRECTORY_LOCK,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
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

static int
look_at_descriptor(void *context, const struct dirent *entry)
{
    struct search *search = context;
    struct stat status = {.st_ino = 0};
    if (entry->d_name[0] == '.')
        return 0;
    if (search->lock != NULL && fstatat(search->fds, entry->d_name, &status, 0) == 0 &&
        status.st_dev == search->lock->st_dev && status.st_ino == search->lock->st_ino)
        search->holds_lock = true;
    if (search->memory_fd < 0 && is_scoreboard(search->fds, entry->d_name)) {
        search->memory_fd = openat(search->fds, entry->d_name, O_RDONLY | O_CLOEXEC);
        if (search->memory_fd < 0)
            return -errno;
    }
    return 0;
}

/* Looks through the descriptors of a process: 0 and its scoreboard's if it has the lock file open
 * (NULL: if it has a scoreboard), or a negative errno. The caller owns *memory_fd_r. */
static int
find_memory(pid_t pid, const struct stat *lock, int *memory_fd_r)
{
    char path[48];
    (void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
    struct search search = {.lock = lock, .holds_lock = lock == NULL, .memory_fd = -1};
    search.fds = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (search.fds < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    int result = directory_read(search.fds, ".", look_at_descriptor, &search);
    (void)close(search.fds);
    if (result == 0 && (!search.holds_lock || search.memory_fd < 0))
        result = -ESRCH;
    if (result == 0) {
        *memory_fd_r = search.memory_fd;
        return 0;
    }
    if (search.memory_fd >= 0)
        (void)close(search.memory_fd);
    /* The process may end meanwhile. */
    return result == -ENOENT ? -ESRCH : result;
}

int
status_find(const struct scoreboard **out, int directory_fd, pid_t *pid_r)
{
    struct stat lock = {.st_ino = 0};
    int memory_fd = -1;
    *pid_r = 0;
    int result = read_lock(directory_fd, &lock, pid_r);
    if (result == 0)
        result = find_memory(*pid_r, &lock, &memory_fd);
    if (result != 0)
        return result;
    result = scoreboard_attach(out, memory_fd);
    (void)close(memory_fd);
    return result;
}

/* ---- by the path */

struct path_search {
    const char *path;
    char mounts[64];
    const struct scoreboard *found;
    pid_t pid;
};

/* Which mounts a process ("self", or a pid) sees; false if that may not be known. */
static bool
read_mounts(const char *process, char text[static 64])
{
    char path[NAME_MAX + 16];
    (void)snprintf(path, sizeof(path), "/proc/%s/ns/mnt", process);
    ssize_t size = readlink(path, text, 63);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* Whether `configured` is the path, or the usual segment directory in it. */
static bool
is_meant(const char *configured, const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (strncmp(configured, path, size) != 0)
        return false;
    const char *rest = configured + size;
    rest += strspn(rest, "/");
    return *rest == '\0' || strcmp(rest, SEGMENT_DIRECTORY_NAME) == 0;
}

static int
look_at_process(void *context, const struct dirent *entry)
{
    struct path_search *search = context;
    char mounts[64];
    char *end = NULL;
    int memory_fd = -1;
    pid_t pid = (pid_t)strtol(entry->d_name, &end, 10);
    if (search->found != NULL || pid <= 0 || *end != '\0' || !read_mounts(entry->d_name, mounts) ||
        strcmp(mounts, search->mounts) != 0 || find_memory(pid, NULL, &memory_fd) != 0)
        return 0;
    const struct scoreboard *scoreboard = NULL;
    int result = scoreboard_attach(&scoreboard, memory_fd);
    (void)close(memory_fd);
    if (result != 0)
        return 0;
    if (is_meant(scoreboard->facts.segments_directory, search->path)) {
        search->found = scoreboard;
        search->pid = pid;
    } else {
        scoreboard_detach(&scoreboard);
    }
    return 0;
}

int
status_find_by_path(const struct scoreboard **out, const char *path, pid_t *pid_r)
{
    struct path_search search = {.path = path};
    if (!read_mounts("self", search.mounts))
        return -ESRCH;
    int result = directory_read(AT_FDCWD, "/proc", look_at_process, &search);
    if (result != 0 || search.found == NULL)
        return result != 0 ? result : -ESRCH;
    *out = search.found;
    *pid_r = search.pid;
    return 0;
}
