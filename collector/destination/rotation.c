/* rotation.c -- the renames of a rotation, in the order that loses nothing. Runs in the
 * collector. */
#include "collector/destination/rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/disk.h"
#include "common/heritage.h"
#include "common/output_path.h"
#include "common/settings.h"

struct rotation {
    int directory_fd;
    const char *base; /* the name in that directory */
    bool durable;
};

bool
rotation_is_due(const struct settings *settings, uint64_t bytes, int64_t written_s, int64_t now_s)
{
    if (bytes == 0)
        return false;
    if (settings->output_rotate_bytes > 0 && bytes >= (uint64_t)settings->output_rotate_bytes)
        return true;
    return settings->output_rotate_seconds > 0 &&
           written_s / settings->output_rotate_seconds < now_s / settings->output_rotate_seconds;
}

/* Number 0 is the output itself. */
static void
format_name(const struct rotation *rotation, int64_t number, char name[OUTPUT_NAME_BYTES_MAX])
{
    if (number == 0)
        (void)snprintf(name, OUTPUT_NAME_BYTES_MAX, "%s", rotation->base);
    else
        (void)snprintf(name, OUTPUT_NAME_BYTES_MAX, "%s.%" PRId64, rotation->base, number);
}

/* The number that the highest of the rotated files gets: the first one that is free or, if all are
 * taken, `keep`, whose file is then replaced. A negative errno if it cannot be told whether a
 * number is free: to take it for free would be to lose its file. */
static int64_t
find_free(const struct rotation *rotation, int64_t keep)
{
    char name[OUTPUT_NAME_BYTES_MAX];
    struct stat status;
    int64_t number = 1;
    for (; number < keep; number++) {
        format_name(rotation, number, name);
        if (fstatat(rotation->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? number : -errno;
    }
    return number;
}

/* One step. The next one must not reach the disk before it: it takes the name that this one
 * frees. */
static int
move_up(const struct rotation *rotation, int64_t number)
{
    char from[OUTPUT_NAME_BYTES_MAX];
    char to[OUTPUT_NAME_BYTES_MAX];
    format_name(rotation, number, from);
    format_name(rotation, number + 1, to);
    if (renameat(rotation->directory_fd, from, rotation->directory_fd, to) != 0)
        return -errno;
    /* With durability "process" nothing is promised, and the order is worth having all the same. */
    if (rotation->durable)
        disk_sync(rotation->directory_fd, rotation->base);
    else
        (void)fsync(rotation->directory_fd);
    return 0;
}

static int
rotate(const struct rotation *rotation, int64_t keep, uint64_t device, uint64_t inode)
{
    struct stat status;
    if (fstatat(rotation->directory_fd, rotation->base, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (status.st_dev != device || status.st_ino != inode)
        return -ELOOP;
    int64_t free_number = find_free(rotation, keep);
    if (free_number < 0)
        return (int)free_number;
    int result = 0;
    for (int64_t number = free_number - 1; number > 0 && result == 0; number--) {
        result = move_up(rotation, number);
        crash_point("rotation.moved_up");
    }
    if (result == 0)
        result = move_up(rotation, 0);
    crash_point("rotation.renamed");
    return result;
}

int
rotation_perform(const struct heritage *heritage, const char *name, uint64_t device, uint64_t inode)
{
    const struct settings *settings = heritage->settings;
    const char *slash = strrchr(name, '/');
    const struct rotation rotation = {
        .directory_fd = output_path_open_directory(heritage->fds[HERITAGE_FD_ROOT], name),
        .base = slash == NULL ? name : slash + 1,
        .durable = settings->segments_durability == DURABILITY_MACHINE,
    };
    if (rotation.directory_fd < 0)
        return rotation.directory_fd;
    int result = rotate(&rotation, settings->output_rotate_keep, device, inode);
    (void)close(rotation.directory_fd);
    return result;
}
