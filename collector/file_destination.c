/* file_destination.c -- an output file beneath output.root, appended to. Runs in the collector.
 *
 * Others may do to the file what they like while nobody looks: before each batch the path is
 * resolved again, and where it leads to another file (or to none), that is opened (or created). The
 * file is open for appending, so a file cut short by somebody grows on from its end and never gets
 * a hole.
 *
 * Crash contract: between prepare() and the ledger's next record the file may hold any part of the
 * batch at its end; undo() cuts it back to the size that prepare() gave.
 */
#include "collector/destination.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/heritage.h"
#include "common/log.h"
#include "common/output_path.h"
#include "common/settings.h"

struct destination {
    const struct heritage *heritage;
    char *name;
    int fd;
    uint64_t device;
    uint64_t inode;
    uint64_t size; /* of the file, as we left it */
    bool torn;     /* a part of a record stands behind `size` and could not be cut off yet */
};

static void
file_rest(struct destination *destination)
{
    if (destination->fd >= 0)
        (void)close(destination->fd);
    destination->fd = -1;
}

static int
file_open(struct destination **out, const struct heritage *heritage, const char *name)
{
    struct destination *destination = calloc(1, sizeof(*destination));
    if (destination == NULL)
        return -ENOMEM;
    destination->name = strdup(name);
    if (destination->name == NULL) {
        free(destination);
        return -ENOMEM;
    }
    destination->heritage = heritage;
    destination->fd = -1;
    *out = destination;
    return 0;
}

static void
file_close(struct destination **dp)
{
    if (*dp == NULL)
        return;
    file_rest(*dp);
    free((*dp)->name);
    free(*dp);
    *dp = NULL;
}

/* Remembers what was just opened. */
static int
adopt(struct destination *destination, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    destination->fd = fd;
    destination->device = status.st_dev;
    destination->inode = status.st_ino;
    destination->size = (uint64_t)status.st_size;
    return 0;
}

/* Lets go of the file if its path leads elsewhere by now. */
static void
leave_if_replaced(struct destination *destination)
{
    uint64_t device;
    uint64_t inode;
    int result =
        output_path_identify(destination->heritage->root_fd, destination->name, &device, &inode);
    if (result == 0 && device == destination->device && inode == destination->inode)
        return;
    log_write(LOG_LEVEL_INFO, "the output file was renamed, replaced or removed; a new one is used",
              LOG_FIELDS(log_string("output", destination->name)));
    destination->torn = false;
    file_rest(destination);
}

/* Cuts off a part of a record that an earlier failure left behind, and notices a file cut short by
 * others. */
static int
look_at_size(struct destination *destination)
{
    struct stat status;
    if (destination->torn && ftruncate(destination->fd, (off_t)destination->size) != 0)
        return -errno;
    destination->torn = false;
    if (fstat(destination->fd, &status) != 0)
        return -errno;
    if ((uint64_t)status.st_size != destination->size)
        log_write(LOG_LEVEL_INFO,
                  "the output file was changed by somebody else; appending at its end",
                  LOG_FIELDS(log_string("output", destination->name),
                             log_u64("bytes", (uint64_t)status.st_size),
                             log_u64("expected_bytes", destination->size)));
    destination->size = (uint64_t)status.st_size;
    return 0;
}

static int
file_prepare(struct destination *destination, struct ledger_mark *mark_r)
{
    const struct heritage *heritage = destination->heritage;
    if (destination->fd >= 0)
        leave_if_replaced(destination);
    int result = 0;
    if (destination->fd < 0) {
        int fd = output_path_open(heritage->root_fd, heritage->segments_fd, destination->name,
                                  (mode_t)heritage->settings->output_mode);
        result = fd < 0 ? fd : adopt(destination, fd);
    }
    if (result == 0)
        result = look_at_size(destination);
    mark_r->device = destination->device;
    mark_r->inode = destination->inode;
    mark_r->offset = destination->size;
    return result;
}

/* How many records the first `written` bytes hold whole, and the bytes of those. */
static size_t
whole_records(const struct iovec *records, size_t count, size_t written, size_t *bytes_r)
{
    size_t whole = 0;
    *bytes_r = 0;
    while (whole < count && *bytes_r + records[whole].iov_len <= written)
        *bytes_r += records[whole++].iov_len;
    return whole;
}

static size_t
file_deliver(struct destination *destination, struct iovec *records, size_t count, int *error_r)
{
    size_t delivered = 0;
    *error_r = 0;
    while (delivered < count && *error_r == 0) {
        size_t chunk = count - delivered < IOV_MAX ? count - delivered : IOV_MAX;
        ssize_t written = writev(destination->fd, records + delivered, (int)chunk);
        if (written < 0) {
            *error_r = errno == EINTR ? 0 : -errno;
            continue;
        }
        size_t bytes;
        size_t whole = whole_records(records + delivered, chunk, (size_t)written, &bytes);
        destination->size += bytes;
        delivered += whole;
        /* A short write, as on a volume that is filling up, may end inside a record: nobody shall
         * read half of it. */
        if ((size_t)written > bytes && ftruncate(destination->fd, (off_t)destination->size) != 0) {
            *error_r = -errno;
            destination->torn = true;
        } else if (whole == 0) {
            *error_r = -ENOSPC;
        }
    }
    return delivered;
}

static int
file_undo(struct destination *destination, const struct ledger_mark *mark)
{
    const struct heritage *heritage = destination->heritage;
    int fd = output_path_open_existing(heritage->root_fd, heritage->segments_fd, destination->name);
    int result = fd < 0 ? fd : adopt(destination, fd);
    if (result == -ENOENT)
        return 0; /* gone, and what was in it with it */
    if (result != 0)
        return result;
    bool same = destination->device == mark->device && destination->inode == mark->inode;
    if (!same || destination->size < mark->offset ||
        destination->size > mark->offset + mark->length) {
        log_write(LOG_LEVEL_WARNING,
                  "the output file is not as the last collector left it; its last batch may stand "
                  "in it twice",
                  LOG_FIELDS(log_string("output", destination->name),
                             log_u64("bytes", destination->size), log_u64("offset", mark->offset),
                             log_u64("length", mark->length)));
        return 0;
    }
    if (destination->size > mark->offset) {
        if (ftruncate(destination->fd, (off_t)mark->offset) != 0)
            return -errno;
        log_write(LOG_LEVEL_INFO, "an unfinished batch was cut off and will be written again",
                  LOG_FIELDS(log_string("output", destination->name),
                             log_u64("bytes", destination->size - mark->offset)));
        destination->size = mark->offset;
    }
    return 0;
}

const struct destination_kind file_destination = {
    .open = file_open,
    .prepare = file_prepare,
    .deliver = file_deliver,
    .undo = file_undo,
    .rest = file_rest,
    .close = file_close,
};
