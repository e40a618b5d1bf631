/* file_destination.c -- an output file, appended to: beneath output.root, or set aside in
 * quarantine/. Runs in the collector.
 *
 * Others may do to the file what they like while nobody looks: before each batch the path is
 * resolved again, and where it leads to another file (or to none), that is opened (or created).
 * Rotation is the same, by ourselves. The file is open for appending, so a file cut short by
 * somebody grows on from its end and never gets a hole.
 *
 * Crash contract: between prepare() and the ledger's next record the file may hold any part of the
 * batch at its end; undo() cuts it back to the size that prepare() gave.
 */
#include "collector/destination/destination.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/destination/rotation.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/directory.h"
#include "base/disk.h"
#include "common/heritage.h"
#include "base/log.h"
#include "common/output_path.h"
#include "common/settings.h"
#include "segment/segment_directory.h"

/* A call writes so many pieces of memory at most, and not many more bytes: given 4 MiB at once, the
 * page cache took half as long again for each. */
#define PIECES_MAX 256
#define WRITE_BYTES (1U << 20)

/* What the path of a file for undeliverable records begins with, from the segment directory. */
#define UNDELIVERABLE SEGMENT_DIRECTORY_QUARANTINE "/" SEGMENT_DIRECTORY_UNDELIVERABLE

struct destination {
    const struct heritage *heritage;
    char *name;
    bool aside; /* the name is in the segment directory, not beneath output.root */
    int fd;
    uint64_t device;
    uint64_t inode;
    uint64_t size;     /* of the file, as we left it */
    int64_t written_s; /* when it was last written */
    bool named;        /* its name is known to be on the disk */
    struct log_brake brake;
    struct log_brake rotation_brake;
};

static void
file_release(struct destination *destination)
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

/* The file is named after the ledger, since the output's own name may be no name for a file. */
static int
aside_open(struct destination **out, const struct heritage *heritage, const char *name)
{
    char ledger_name[LEDGER_NAME_BYTES_MAX];
    char path[LEDGER_NAME_BYTES_MAX + sizeof(UNDELIVERABLE)];
    ledger_name_format(ledger_name, SEGMENT_FILE, (struct bytes){name, strlen(name)});
    (void)snprintf(path, sizeof(path), UNDELIVERABLE "%s", ledger_name);
    if (mkdirat(heritage->fds[HERITAGE_FD_SEGMENTS], SEGMENT_DIRECTORY_QUARANTINE, 0700) != 0 &&
        errno != EEXIST)
        return -errno;
    int result = file_open(out, heritage, path);
    if (result == 0)
        (*out)->aside = true;
    return result;
}

static void
file_close(struct destination **dp)
{
    if (*dp == NULL)
        return;
    file_release(*dp);
    free((*dp)->name);
    free(*dp);
    *dp = NULL;
}

static int
open_or_create(const struct destination *destination)
{
    const struct heritage *heritage = destination->heritage;
    if (!destination->aside)
        return output_path_open(heritage->fds[HERITAGE_FD_ROOT],
                                heritage->fds[HERITAGE_FD_SEGMENTS], destination->name,
                                (mode_t)heritage->settings->output_mode);
    int fd = openat(heritage->fds[HERITAGE_FD_SEGMENTS], destination->name,
                    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static int
open_existing(const struct destination *destination)
{
    const struct heritage *heritage = destination->heritage;
    if (!destination->aside)
        return output_path_open_existing(heritage->fds[HERITAGE_FD_ROOT],
                                         heritage->fds[HERITAGE_FD_SEGMENTS], destination->name);
    int fd = openat(heritage->fds[HERITAGE_FD_SEGMENTS], destination->name,
                    O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int
file_identify(struct destination *destination, uint64_t *device_r, uint64_t *inode_r)
{
    const struct heritage *heritage = destination->heritage;
    return output_path_identify(destination->aside ? heritage->fds[HERITAGE_FD_SEGMENTS]
                                                   : heritage->fds[HERITAGE_FD_ROOT],
                                destination->name, device_r, inode_r);
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
    destination->named = false;
    return 0;
}

static bool
is_marked(const struct destination *destination, const struct ledger_mark *mark)
{
    return destination->device == mark->device && destination->inode == mark->inode;
}

/* Lets go of the file if its path leads elsewhere by now. Returns 0 or a negative errno. */
static int
leave_if_replaced(struct destination *destination)
{
    uint64_t device;
    uint64_t inode;
    int result = file_identify(destination, &device, &inode);
    if (result == 0 && device == destination->device && inode == destination->inode)
        return 0;
    if (result != 0 && result != -ENOENT)
        return result;
    log_write(LOG_LEVEL_INFO, "the output file was renamed, replaced or removed; a new one is used",
              LOG_FIELDS(log_string("output", destination->name)));
    file_release(destination);
    return 0;
}

/* Notices a file that others cut short or appended to. */
static int
look_at_size(struct destination *destination)
{
    struct stat status;
    if (fstat(destination->fd, &status) != 0)
        return -errno;
    if ((uint64_t)status.st_size != destination->size)
        log_write_braked(&destination->brake, clock_monotonic_ms(), LOG_LEVEL_INFO,
                         "the output file was changed by somebody else; appending at its end",
                         LOG_FIELDS(log_string("output", destination->name),
                                    log_u64("bytes", (uint64_t)status.st_size),
                                    log_u64("expected_bytes", destination->size)));
    destination->size = (uint64_t)status.st_size;
    destination->written_s = status.st_mtim.tv_sec;
    return 0;
}

/* Opens the file that the path leads to now, unless it is open. */
static int
open_current(struct destination *destination)
{
    int result = destination->fd < 0 ? 0 : leave_if_replaced(destination);
    if (result == 0 && destination->fd < 0) {
        int fd = open_or_create(destination);
        crash_point("file.opened");
        result = fd < 0 ? fd : adopt(destination, fd);
    }
    return result == 0 ? look_at_size(destination) : result;
}

/* Gives the file another name if it is large or old enough. True if it has: the next one is to be
 * opened. A file that cannot be rotated is written on. */
static bool
rotate_if_due(struct destination *destination)
{
    const struct settings *settings = destination->heritage->settings;
    if (destination->aside ||
        (settings->output_rotate_bytes == 0 && settings->output_rotate_seconds == 0))
        return false; /* without a look at the clock */
    int64_t now_s = (int64_t)(clock_realtime_ns() / 1000000000);
    if (!rotation_is_due(settings, destination->size, destination->written_s, now_s))
        return false;
    int result = rotation_perform(destination->heritage, destination->name, destination->device,
                                  destination->inode);
    if (result == 0) {
        log_write(LOG_LEVEL_INFO, "an output file was rotated",
                  LOG_FIELDS(log_string("output", destination->name),
                             log_u64("bytes", destination->size)));
        file_release(destination);
        return true;
    }
    log_write_braked(&destination->rotation_brake, clock_monotonic_ms(), LOG_LEVEL_ERROR,
                     "an output file cannot be rotated; it is written on",
                     LOG_FIELDS(log_string("output", destination->name), log_error(result)));
    return false;
}

static int
file_prepare(struct destination *destination, struct ledger_mark *mark_r)
{
    int result = open_current(destination);
    if (result == 0 && rotate_if_due(destination))
        result = open_current(destination);
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

/* A name that is looked for in a directory, by the inode that it leads to. */
struct search {
    uint64_t inode;
    /* What stands before the name in that of an output: "", or its directories and a slash. */
    const char *directories;
    int directories_bytes;
    char *name;
};

#define FOUND 1

/* Notes the name, beneath the root, of the entry that is looked for. */
static int
visit_entry(void *context, const struct dirent *entry)
{
    struct search *search = context;
    if (entry->d_ino != search->inode)
        return 0;
    int length = snprintf(search->name, OUTPUT_NAME_BYTES_MAX, "%.*s%s", search->directories_bytes,
                          search->directories, entry->d_name);
    return length < (int)OUTPUT_NAME_BYTES_MAX ? FOUND : -ENAMETOOLONG;
}

/* The name, beneath the root, of the file with that inode in the directory of the output, as far as
 * the directory can tell: false if none has it. */
static bool
find_renamed(const struct destination *destination, uint64_t inode,
             char name_r[static OUTPUT_NAME_BYTES_MAX])
{
    const char *slash = strrchr(destination->name, '/');
    struct search search = {
        .inode = inode,
        .directories = destination->name,
        .directories_bytes = slash == NULL ? 0 : (int)(slash - destination->name) + 1,
        .name = name_r,
    };
    int fd =
        output_path_open_directory(destination->heritage->fds[HERITAGE_FD_ROOT], destination->name);
    if (fd < 0)
        return false;
    int result = directory_read(fd, ".", visit_entry, &search);
    (void)close(fd);
    return result == FOUND;
}

/* Adopts what was opened, `fd` or a negative errno, if it is the file of the mark. Returns 0,
 * -ENOENT if it is not, or another negative errno. */
static int
adopt_if_marked(struct destination *destination, int fd, const struct ledger_mark *mark)
{
    int result = fd < 0 ? fd : adopt(destination, fd);
    if (result != 0 || is_marked(destination, mark))
        return result;
    file_release(destination);
    return -ENOENT;
}

/* Opens the file of a mark: the output's, or, where somebody has renamed that since (logrotate),
 * what it is called now in the same directory. Returns as adopt_if_marked() does. */
static int
adopt_marked(struct destination *destination, const struct ledger_mark *mark)
{
    const struct heritage *heritage = destination->heritage;
    char name[OUTPUT_NAME_BYTES_MAX];
    int result = adopt_if_marked(destination, open_existing(destination), mark);
    if (result != -ENOENT || destination->aside || !find_renamed(destination, mark->inode, name))
        return result;
    return adopt_if_marked(destination,
                           output_path_open_existing(heritage->fds[HERITAGE_FD_ROOT],
                                                     heritage->fds[HERITAGE_FD_SEGMENTS], name),
                           mark);
}

/* Writes records, as many as fit one call; those that lie one behind the other in memory are one
 * piece for the kernel. Returns what writev() does; *tried_r is how many of the records it was
 * given. */
static ssize_t
write_records(int fd, const struct iovec *records, size_t count, size_t *tried_r)
{
    struct iovec pieces[PIECES_MAX] = {records[0]};
    int last = 0;
    size_t bytes = records[0].iov_len;
    size_t tried = 1;
    for (; tried < count && bytes < WRITE_BYTES; tried++) {
        const struct iovec *record = &records[tried];
        if ((const char *)pieces[last].iov_base + pieces[last].iov_len == record->iov_base)
            pieces[last].iov_len += record->iov_len;
        else if (last + 1 < PIECES_MAX)
            pieces[++last] = *record;
        else
            break;
        bytes += record->iov_len;
    }
    *tried_r = tried;
    return writev(fd, pieces, last + 1);
}

static size_t
file_deliver(struct destination *destination, const struct iovec *records, size_t count,
             struct delivery *delivery)
{
    size_t delivered = 0;
    delivery->error = 0;
    delivery->mark.length = 0;
    while (delivered < count && delivery->error == 0) {
        size_t chunk;
        ssize_t written =
            write_records(destination->fd, records + delivered, count - delivered, &chunk);
        if (written < 0) {
            delivery->error = -errno;
            continue;
        }
        size_t bytes;
        size_t whole = whole_records(records + delivered, chunk, (size_t)written, &bytes);
        destination->size += bytes;
        delivered += whole;
        crash_point("file.written");
        /* A short write, as on a volume that is filling up, may end inside a record: nobody shall
         * read half of it. What cannot be cut off now is the ledger's to remember. */
        size_t torn = (size_t)written - bytes;
        if (torn > 0 && ftruncate(destination->fd, (off_t)destination->size) != 0) {
            delivery->error = -errno;
            delivery->mark.length = torn;
        } else if (whole == 0) {
            delivery->error = -ENOSPC;
        }
    }
    delivery->mark.offset = destination->size;
    return delivered;
}

static int
file_sync(struct destination *destination)
{
    const struct heritage *heritage = destination->heritage;
    if (destination->fd < 0)
        return 0; /* nothing was there to undo */
    disk_sync_data(destination->fd, destination->name);
    crash_point("file.synced");
    if (destination->named)
        return 0;
    int result = output_path_sync_directories(
        destination->aside ? heritage->fds[HERITAGE_FD_SEGMENTS] : heritage->fds[HERITAGE_FD_ROOT],
        destination->name);
    destination->named = result == 0;
    return result;
}

static int
file_undo(struct destination *destination, const struct ledger_mark *mark)
{
    file_release(destination);
    int result = adopt_marked(destination, mark);
    if (result != 0 && result != -ENOENT)
        return result;
    uint64_t size = result == 0 ? destination->size : 0;
    if (size < mark->offset || size > mark->offset + mark->length) {
        log_write(
            LOG_LEVEL_WARNING,
            "the output file is gone, or not as the last collector left it; its last batch may "
            "stand twice",
            LOG_FIELDS(log_string("output", destination->name), log_u64("bytes", size),
                       log_u64("offset", mark->offset), log_u64("length", mark->length)));
        return 0;
    }
    if (result != 0)
        return 0; /* gone, and nothing but the batch was in it */
    if (size == mark->offset)
        return 0;
    if (ftruncate(destination->fd, (off_t)mark->offset) != 0)
        return -errno;
    crash_point("file.cut_back");
    log_write(
        LOG_LEVEL_INFO, "an unfinished batch was cut off and will be written again",
        LOG_FIELDS(log_string("output", destination->name), log_u64("bytes", size - mark->offset)));
    destination->size = mark->offset;
    return 0;
}

#define FILE_OPERATIONS                                                                            \
    .prepare = file_prepare, .deliver = file_deliver, .sync = file_sync, .undo = file_undo,        \
    .identify = file_identify, .release = file_release, .close = file_close

const struct destination_kind file_destination = {.open = file_open, FILE_OPERATIONS};
const struct destination_kind aside_destination = {.open = aside_open, FILE_OPERATIONS};
