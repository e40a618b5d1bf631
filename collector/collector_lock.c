/* collector_lock.c -- gets the locks of the collector. Runs in the collector. */
#include "collector/collector_lock.h"

#include <errno.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "common/lock_file.h"
#include "segment/segment_directory.h"

/* The file may lose its name while it is waited for: then the one that has the name counts. */
static int
try_file(struct collector_lock *lock, int segments_fd)
{
    const char *name = SEGMENT_DIRECTORY_COLLECTOR_LOCK;
    if (lock->file_fd >= 0 && !lock_file_is_named(segments_fd, name, lock->file_fd))
        descriptor_close(&lock->file_fd);
    if (lock->file_fd < 0)
        lock->file_fd = lock_file_open(segments_fd, name);
    if (lock->file_fd < 0)
        return lock->file_fd;
    int result = lock_file_try(lock->file_fd);
    if (result != 0)
        return result;
    return lock_file_is_named(segments_fd, name, lock->file_fd) ? 0 : -EWOULDBLOCK;
}

static int
try_directory(struct collector_lock *lock, int segments_fd)
{
    if (lock->directory_fd < 0)
        lock->directory_fd = lock_file_open_directory(segments_fd);
    if (lock->directory_fd < 0)
        return lock->directory_fd;
    int result = lock_file_try(lock->directory_fd);
    if (!lock_file_is_unsupported(result))
        return result;
    log_write(LOG_LEVEL_WARNING,
              "the file system of segments.directory has no locks for directories: nobody may "
              "remove " SEGMENT_DIRECTORY_COLLECTOR_LOCK " while the adapter runs",
              LOG_FIELDS(log_error(result)));
    return 0;
}

int
collector_lock_try(struct collector_lock *lock, int segments_fd)
{
    int result = try_file(lock, segments_fd);
    return result == 0 ? try_directory(lock, segments_fd) : result;
}

void
collector_lock_close(struct collector_lock *lock)
{
    descriptor_close(&lock->file_fd);
    descriptor_close(&lock->directory_fd);
}
