/* output_path.c -- normalises, checks and opens what a client's file_path names. Runs in workers
 * (checks only) and in the collector. */
#include "common/output_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk.h"
#include "common/beneath.h"

/* More directories than this between a file and the root is nobody's honest path. */
#define DEPTH_MAX 64

/* So often a file is looked at again that was moved meanwhile. */
#define ATTEMPTS 16

/* Drops the root from an absolute path. Returns what is left, or NULL if the path is not beneath
 * the root. */
static const char *
strip_root(struct bytes path, const char *root, size_t *left_r)
{
    size_t root_bytes = strlen(root);
    while (root_bytes > 0 && root[root_bytes - 1] == '/')
        root_bytes--;
    if (path.size <= root_bytes || memcmp(path.data, root, root_bytes) != 0 ||
        path.data[root_bytes] != '/')
        return NULL;
    *left_r = path.size - root_bytes;
    return path.data + root_bytes;
}

static const char *
bytes_fault(struct bytes path)
{
    if (path.size == 0)
        return "is empty";
    if (path.size >= OUTPUT_NAME_BYTES_MAX)
        return "is longer than 4095 bytes";
    for (size_t i = 0; i < path.size; i++) {
        unsigned char byte = (unsigned char)path.data[i];
        if (byte < 0x20 || byte == 0x7f)
            return "holds a control character";
    }
    if (path.data[path.size - 1] == '/')
        return "ends with a slash, as only a directory's does";
    return NULL;
}

/* Appends one component to the name. Returns what is wrong with it, or NULL. */
static const char *
add_component(char *name, size_t *used, size_t *depth, const char *component, size_t size)
{
    if (size == 0 || (size == 1 && component[0] == '.'))
        return NULL;
    if (++*depth > DEPTH_MAX)
        return "has more than 64 components";
    if (size == 2 && component[0] == '.' && component[1] == '.')
        return "has a \"..\" component";
    if (size > NAME_MAX)
        return "has a component longer than 255 bytes";
    if (*used > 0)
        name[(*used)++] = '/';
    memcpy(name + *used, component, size);
    *used += size;
    return NULL;
}

int
output_path_normalise(char name[static OUTPUT_NAME_BYTES_MAX], struct bytes path, const char *root,
                      const char **reason_r)
{
    *reason_r = bytes_fault(path);
    if (*reason_r != NULL)
        return -EINVAL;
    const char *at = path.data;
    size_t left = path.size;
    if (path.data[0] == '/') {
        at = strip_root(path, root, &left);
        if (at == NULL) {
            *reason_r = "is not beneath output.root";
            return -EINVAL;
        }
    }
    size_t used = 0;
    size_t depth = 0;
    while (left > 0 && *reason_r == NULL) {
        const char *slash = memchr(at, '/', left);
        size_t size = slash == NULL ? left : (size_t)(slash - at);
        *reason_r = add_component(name, &used, &depth, at, size);
        size += slash == NULL ? 0 : 1;
        at += size;
        left -= size;
    }
    name[used] = '\0';
    if (*reason_r == NULL && used == 0)
        *reason_r = "names output.root itself";
    return *reason_r == NULL ? 0 : -EINVAL;
}

/* The path of an open file or directory, links resolved. Returns 0 or a negative errno. */
static int
read_path(int fd, char path[static OUTPUT_NAME_BYTES_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, OUTPUT_NAME_BYTES_MAX - 1);
    if (size < 0)
        return -errno;
    path[size] = '\0';
    return 0;
}

/* Whether the directory of an open file is beneath the root, and not in the segment directory: a
 * link may have led to it from anywhere beneath the root. As beneath_climb(). */
static int
check_file_outside_segments(int root_fd, int segments_fd, int fd)
{
    char path[OUTPUT_NAME_BYTES_MAX];
    int result = read_path(fd, path);
    if (result != 0)
        return result;
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return -EXDEV;
    slash[slash == path ? 1 : 0] = '\0';
    int directory_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? -EAGAIN : -errno; /* moved since it was read */
    result = beneath_climb(root_fd, segments_fd, directory_fd);
    (void)close(directory_fd);
    return result;
}

/* Cuts the last component off; the empty path becomes ".". */
static void
to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    else
        memcpy(path, ".", 2);
}

/* Opens the nearest directory above the name that exists. Returns its O_PATH descriptor or a
 * negative errno; *rest_r is the part of the name below it, a single component if it is the very
 * directory the file is to stand in. */
static int
open_nearest_directory(int root_fd, const char *name, const char **rest_r)
{
    char path[OUTPUT_NAME_BYTES_MAX];
    memcpy(path, name, strlen(name) + 1);
    for (;;) {
        to_parent(path);
        bool at_root = strcmp(path, ".") == 0;
        int fd = beneath_open(root_fd, path, O_PATH | O_DIRECTORY, 0);
        *rest_r = name + (at_root ? 0 : strlen(path) + 1);
        if (fd != -ENOENT || at_root)
            return fd;
    }
}

static const char *
resolve_fault(int error)
{
    switch (-error) {
    case EXDEV:
        return "leads out of output.root, or into the segment directory";
    case ELOOP:
        return "leads through a loop of symbolic links";
    case ENOTDIR:
        return "leads through something that is no directory";
    case ENAMETOOLONG:
        return "is too long for the volume";
    case EACCES:
    case EPERM:
    case EROFS:
        return "cannot be written by the adapter";
    default:
        return NULL;
    }
}

static const char *
type_fault(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFDIR:
        return "is a directory";
    case S_IFCHR:
    case S_IFBLK:
        return "is a device";
    case S_IFIFO:
        return "is a FIFO";
    case S_IFSOCK:
        return "is a socket";
    default:
        return "is not a regular file";
    }
}

/* Whether a link stands under the first component of `rest`: one to nothing, since nothing was
 * found through it. */
static bool
first_component_is_link(int directory_fd, const char *rest)
{
    char component[OUTPUT_NAME_BYTES_MAX];
    struct stat status;
    size_t size = strcspn(rest, "/");
    memcpy(component, rest, size);
    component[size] = '\0';
    return fstatat(directory_fd, component, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(status.st_mode);
}

/* Judges a file that is there. Returns 0 or a negative errno, or sets *reason_r. */
static int
check_existing(int root_fd, int segments_fd, int fd, const char **reason_r)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    *reason_r = type_fault(status.st_mode);
    if (*reason_r != NULL)
        return 0;
    if (faccessat(fd, "", W_OK, AT_EMPTY_PATH) != 0)
        return -errno;
    return check_file_outside_segments(root_fd, segments_fd, fd);
}

/* Judges what stands at the name: a regular file, or nothing where one, and the directories above
 * it, could be made. Returns 0 or a negative errno, or sets *reason_r. */
static int
check_place(int root_fd, int segments_fd, int directory_fd, const char *name, const char *rest,
            const char **reason_r)
{
    int fd = beneath_open(root_fd, name, O_PATH, 0);
    if (fd >= 0) {
        int result = check_existing(root_fd, segments_fd, fd, reason_r);
        (void)close(fd);
        return result;
    }
    if (fd != -ENOENT)
        return fd;
    if (first_component_is_link(directory_fd, rest))
        *reason_r = "leads to a symbolic link to nothing";
    else if (faccessat(directory_fd, "", W_OK | X_OK, AT_EMPTY_PATH) != 0)
        return -errno;
    return 0;
}

static int
check_once(int root_fd, int segments_fd, const char *name, const char **reason_r)
{
    *reason_r = NULL;
    const char *rest = NULL;
    int directory_fd = open_nearest_directory(root_fd, name, &rest);
    int result =
        directory_fd < 0 ? directory_fd : beneath_climb(root_fd, segments_fd, directory_fd);
    if (result == 0)
        result = check_place(root_fd, segments_fd, directory_fd, name, rest, reason_r);
    if (directory_fd >= 0)
        (void)close(directory_fd);
    if (result != 0)
        *reason_r = resolve_fault(result);
    return *reason_r != NULL ? -EINVAL : result;
}

int
output_path_check(int root_fd, int segments_fd, const char *name, const char **reason_r)
{
    int result = -EAGAIN;
    for (int attempt = 0; attempt < ATTEMPTS && result == -EAGAIN; attempt++)
        result = check_once(root_fd, segments_fd, name, reason_r);
    return result;
}

/* Makes the directories above the name, as far as they are missing. */
static int
make_parents(int root_fd, const char *name, mode_t mode)
{
    char path[OUTPUT_NAME_BYTES_MAX];
    memcpy(path, name, strlen(name) + 1);
    mode_t directory_mode = mode | ((mode & 0444) >> 2) | 0700;
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        char above[OUTPUT_NAME_BYTES_MAX];
        memcpy(above, path, strlen(path) + 1);
        to_parent(above);
        int fd = beneath_open(root_fd, above, O_PATH | O_DIRECTORY, 0);
        if (fd < 0)
            return fd;
        const char *last = strrchr(path, '/');
        int made = mkdirat(fd, last == NULL ? path : last + 1, directory_mode);
        int error = made == 0 ? 0 : errno;
        (void)close(fd);
        if (error != 0 && error != EEXIST)
            return -error;
        *slash = '/';
    }
    return 0;
}

/* Refuses what is no regular file, or stands in the segment directory; takes `fd` over and gives it
 * back. */
static int
vet_open_file(int root_fd, int segments_fd, int fd)
{
    struct stat status;
    int result = fstat(fd, &status) == 0 ? 0 : -errno;
    if (result == 0 && !S_ISREG(status.st_mode))
        result = S_ISDIR(status.st_mode) ? -EISDIR : -ENXIO;
    if (result == 0)
        result = check_file_outside_segments(root_fd, segments_fd, fd);
    if (result == 0)
        return fd;
    (void)close(fd);
    return result;
}

static int
open_existing(int root_fd, int segments_fd, const char *name, int flags)
{
    int result = -EAGAIN;
    for (int attempt = 0; attempt < ATTEMPTS && result == -EAGAIN; attempt++) {
        result = beneath_open(root_fd, name, flags | O_NOCTTY | O_NONBLOCK, 0);
        if (result >= 0)
            result = vet_open_file(root_fd, segments_fd, result);
    }
    return result;
}

int
output_path_open_existing(int root_fd, int segments_fd, const char *name)
{
    return open_existing(root_fd, segments_fd, name, O_WRONLY | O_APPEND);
}

int
output_path_open_to_read(int root_fd, int segments_fd, const char *name)
{
    return open_existing(root_fd, segments_fd, name, O_RDONLY);
}

int
output_path_open(int root_fd, int segments_fd, const char *name, mode_t mode)
{
    int fd = output_path_open_existing(root_fd, segments_fd, name);
    if (fd != -ENOENT)
        return fd;
    /* Before anything is created: is it a place where we may create? */
    const char *reason = NULL;
    int result = output_path_check(root_fd, segments_fd, name, &reason);
    if (result == 0)
        result = make_parents(root_fd, name, mode);
    if (result != 0)
        return result == -EINVAL ? -EXDEV : result;
    fd = beneath_open(root_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, mode);
    return fd < 0 ? fd : vet_open_file(root_fd, segments_fd, fd);
}

int
output_path_identify(int root_fd, const char *name, uint64_t *device_r, uint64_t *inode_r)
{
    struct stat status;
    int fd = beneath_open(root_fd, name, O_PATH, 0);
    if (fd < 0)
        return fd;
    int result = fstat(fd, &status) == 0 ? 0 : -errno;
    (void)close(fd);
    *device_r = status.st_dev;
    *inode_r = status.st_ino;
    return result;
}

int
output_path_resolve(int root_fd, int fd, char name[static OUTPUT_NAME_BYTES_MAX])
{
    char root[OUTPUT_NAME_BYTES_MAX];
    int result = read_path(root_fd, root);
    if (result == 0)
        result = read_path(fd, name);
    if (result != 0)
        return result;
    size_t size = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(name, root, size) != 0 || (name[size] != '/' && name[size] != '\0'))
        return -EXDEV;
    const char *rest = name[size] == '/' ? name + size + 1 : name + size;
    memmove(name, rest, strlen(rest) + 1);
    return 0;
}

int
output_path_find(int root_fd, const char *name, char real_name[static OUTPUT_NAME_BYTES_MAX])
{
    int fd = beneath_open(root_fd, name, O_PATH, 0);
    if (fd < 0)
        return fd;
    int result = output_path_resolve(root_fd, fd, real_name);
    (void)close(fd);
    return result;
}

int
output_path_open_directory(int root_fd, const char *name)
{
    char path[OUTPUT_NAME_BYTES_MAX];
    memcpy(path, name, strlen(name) + 1);
    to_parent(path);
    return beneath_open(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

int
output_path_sync_directories(int root_fd, const char *name)
{
    char path[OUTPUT_NAME_BYTES_MAX];
    memcpy(path, name, strlen(name) + 1);
    bool at_root = false;
    while (!at_root) {
        to_parent(path);
        at_root = strcmp(path, ".") == 0;
        int fd = beneath_open(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
            return fd;
        disk_sync(fd, path);
        (void)close(fd);
    }
    return 0;
}
