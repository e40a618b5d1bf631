/* volume.c -- opens and locks the directories of the adapter. Runs in the master before it forks.
 */
#include "master/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/descriptors.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/beneath.h"
#include "common/lock_file.h"
#include "common/settings.h"
#include "master/lock_owner.h"
#include "master/volume_probe.h"
#include "segment/segment_directory.h"

#define SEGMENTS_MODE 0700

/* The children of a master that was just killed need a moment to let go of its lock. */
#define LOCK_RETRY_MS 2000
#define LOCK_PAUSE_NS 20000000
#define LOCK_ATTEMPTS 8

/* A collector whose master was killed ends sooner. */
#define COLLECTOR_PATIENCE_MS 8000

static int
complain_path(struct complaint *complaint, const char *setting, const char *path, int error)
{
    return complain(complaint, EX_CANTCREAT, "%s: cannot use \"%s\": %s", setting, path,
                    strerrordesc_np(error));
}

/* Opens a directory in which files can be made. Returns the descriptor or a negative errno. */
static int
open_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0)
        return fd;
    int error = errno;
    (void)close(fd);
    return -error;
}

/* Finds out how files beneath the root can be opened. */
static void
prepare_root(const struct volume *volume, const char *path)
{
    int result = beneath_prepare(path, volume->root_fd);
    if (result != 0)
        log_write(LOG_LEVEL_WARNING,
                  "openat2 cannot be called here; paths are followed one component at a time",
                  LOG_FIELDS(log_error(result)));
}

static int
open_root(struct volume *volume, const char *path, struct complaint *complaint)
{
    volume->root_fd = open_directory(path);
    if (volume->root_fd < 0)
        return complain_path(complaint, "output.root", path, -volume->root_fd);
    prepare_root(volume, path);
    return 0;
}

/* Waits until the name of an open directory is on the disk. Returns 0 or a negative errno. */
static int
sync_name(int directory_fd)
{
    int parent_fd = openat(directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0)
        return -errno;
    int result = fsync(parent_fd) == 0 ? 0 : -errno;
    (void)close(parent_fd);
    return result;
}

/* Makes the segment directory where it is missing, and opens it. With durability "machine" its
 * name is synced whoever made it: that one may have died before it came to this. */
static int
make_segments(struct volume *volume, const struct settings *settings)
{
    const char *path = settings->segments_directory;
    if (mkdir(path, SEGMENTS_MODE) != 0 && errno != EEXIST)
        return -errno;
    volume->segments_fd = open_directory(path);
    if (volume->segments_fd < 0)
        return volume->segments_fd;
    return settings->segments_durability == DURABILITY_MACHINE ? sync_name(volume->segments_fd) : 0;
}

static int
open_segments(struct volume *volume, const struct settings *settings, struct complaint *complaint)
{
    const char *path = settings->segments_directory;
    int result = make_segments(volume, settings);
    if (result != 0)
        return complain_path(complaint, "segments.directory", path, -result);
    struct stat root;
    struct stat segments;
    if (fstat(volume->root_fd, &root) != 0 || fstat(volume->segments_fd, &segments) != 0)
        return complain_path(complaint, "segments.directory", path, errno);
    if (root.st_dev == segments.st_dev && root.st_ino == segments.st_ino)
        return complain(complaint, EX_CONFIG,
                        "segments.directory: \"%s\" is output.root itself; it must be a directory "
                        "of its own",
                        path);
    return 0;
}

static int
complain_locked(struct complaint *complaint, const char *setting, const char *path, const char *pid)
{
    return complain(complaint, EX_TEMPFAIL, "%s: \"%s\" is in use by another adapter, pid %s",
                    setting, path, pid[0] != '\0' ? pid : "unknown");
}

/* The same about the lock of an open directory, in which no pid is written. */
static int
complain_directory_locked(struct complaint *complaint, const char *setting, const char *path,
                          int fd)
{
    char pid[24] = "";
    pid_t owner = lock_owner_find(fd);
    if (owner > 0)
        (void)snprintf(pid, sizeof(pid), "%ld", (long)owner);
    return complain_locked(complaint, setting, path, pid);
}

/* Tries until somebody who just died has let go of the lock. */
static int
lock_patiently(int fd, uint64_t patience_ms)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    uint64_t deadline_ms = clock_monotonic_ms() + patience_ms;
    int result;
    while ((result = lock_file_try(fd)) == -EWOULDBLOCK && clock_monotonic_ms() < deadline_ms)
        (void)nanosleep(&pause, NULL);
    return result;
}

/* Locks the file that has the name at the end: whoever removes it while it is waited for makes
 * another one count. */
static int
lock_named_file(struct volume *volume)
{
    int result = -EWOULDBLOCK;
    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
        descriptor_close(&volume->lock_fd);
        volume->lock_fd = lock_file_open(volume->segments_fd, SEGMENT_DIRECTORY_LOCK);
        if (volume->lock_fd < 0)
            return volume->lock_fd;
        result = lock_patiently(volume->lock_fd, LOCK_RETRY_MS);
        if (lock_file_is_named(volume->segments_fd, SEGMENT_DIRECTORY_LOCK, volume->lock_fd))
            return result;
        result = -EWOULDBLOCK;
    }
    return result;
}

static int
take_lock(struct volume *volume, const char *path, struct complaint *complaint)
{
    int result = lock_named_file(volume);
    if (result == -EWOULDBLOCK) {
        char pid[24];
        ssize_t size = pread(volume->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[size > 0 ? size : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return complain_locked(complaint, "segments.directory", path, pid);
    }
    return result == 0 ? 0 : complain_path(complaint, "segments.directory", path, -result);
}

/* Where the lock file was made just now, this is the first start, or somebody took the file away
 * from an adapter that still runs. The collector of that one has the directory locked. */
static int
look_for_collector(const struct volume *volume, const char *path, struct complaint *complaint)
{
    struct stat status;
    if (fstat(volume->lock_fd, &status) != 0 || status.st_size > 0)
        return 0;
    int fd = lock_file_open_directory(volume->segments_fd);
    if (fd < 0)
        return complain_path(complaint, "segments.directory", path, -fd);
    int result = lock_patiently(fd, COLLECTOR_PATIENCE_MS);
    result = result == -EWOULDBLOCK
                 ? complain_directory_locked(complaint, "segments.directory", path, fd)
                 : 0;
    (void)close(fd);
    return result;
}

/* The pid is for people; on a full disk the lock must do without it. */
static void
write_pid(const struct volume *volume)
{
    if (ftruncate(volume->lock_fd, 0) == 0)
        (void)dprintf(volume->lock_fd, "%ld\n", (long)getpid());
}

/* Two adapters with segment directories of their own would still take each other's records for
 * their own; and the lock file may be removed, which the directory cannot be. Through a descriptor
 * of its own, since the children keep the other. Where the file system has no locks for directories
 * (NFS), this is left to the operator. */
static int
lock_root(struct volume *volume, const char *path, struct complaint *complaint)
{
    volume->root_lock_fd = lock_file_open_directory(volume->root_fd);
    if (volume->root_lock_fd < 0)
        return complain_path(complaint, "output.root", path, -volume->root_lock_fd);
    int result = lock_patiently(volume->root_lock_fd, LOCK_RETRY_MS);
    if (result == -EWOULDBLOCK)
        return complain_directory_locked(complaint, "output.root", path, volume->root_lock_fd);
    if (!lock_file_is_unsupported(result))
        return result == 0 ? 0 : complain_path(complaint, "output.root", path, -result);
    log_write(
        LOG_LEVEL_WARNING,
        "the file system of output.root has no locks for directories: whether another adapter "
        "uses it is not noticed",
        LOG_FIELDS(log_string("output_root", path), log_error(result)));
    return 0;
}

int
volume_open(struct volume *out, const struct settings *settings, struct complaint *complaint)
{
    *out = (struct volume){.root_fd = -1, .segments_fd = -1, .lock_fd = -1, .root_lock_fd = -1};
    int result = open_root(out, settings->output_root, complaint);
    if (result == 0)
        result = open_segments(out, settings, complaint);
    if (result == 0)
        result = take_lock(out, settings->segments_directory, complaint);
    if (result == 0)
        result = volume_probe(out->segments_fd, settings->segments_directory,
                              settings->segments_durability == DURABILITY_MACHINE, complaint);
    if (result == 0)
        result = lock_root(out, settings->output_root, complaint);
    if (result == 0)
        result = look_for_collector(out, settings->segments_directory, complaint);
    if (result != 0) {
        volume_close(out);
        return result;
    }
    write_pid(out);
    INVARIANT(out->root_fd >= 0 && out->segments_fd >= 0);
    INVARIANT(out->lock_fd >= 0 && out->root_lock_fd >= 0);
    return 0;
}

int
volume_adopt(struct volume *out, const struct settings *settings, const struct volume *opened,
             struct complaint *complaint)
{
    *out = *opened;
    prepare_root(out, settings->output_root);
    int result =
        settings->segments_durability == DURABILITY_MACHINE ? sync_name(out->segments_fd) : 0;
    return result == 0 ? 0
                       : complain_path(complaint, "segments.directory",
                                       settings->segments_directory, -result);
}

void
volume_close(struct volume *volume)
{
    descriptor_close(&volume->root_lock_fd);
    descriptor_close(&volume->lock_fd);
    descriptor_close(&volume->segments_fd);
    descriptor_close(&volume->root_fd);
}
