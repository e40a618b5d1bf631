/* file_destination.c -- an output file beneath output.root, appended to. Runs in the collector.
 *
 * Others may do to the file what they like while nobody looks: before each batch the path is
 * resolved again, and where it leads to another file (or to none), that is opened (or created).
 * Rotation is the same, by ourselves. The file is open for appending, so a file cut short by
 * somebody grows on from its end and never gets a hole.
 *
 * Crash contract: between prepare() and the ledger's next record the file may hold any part of the
 * batch behind the size that prepare() gave. complete() compares, and writes what is missing
 * (file_completion.c). Nothing is ever cut off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/descriptors.h"
#include "base/disk.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/destination/file_destination_private.h"
#include "collector/destination/output_note.h"
#include "collector/destination/record_writer.h"
#include "collector/destination/rotation.h"
#include "common/heritage.h"
#include "common/output_path.h"
#include "common/rotated_name.h"
#include "common/settings.h"

/* A rotation that failed is not tried again with each batch: it may look at a thousand names. */
#define ROTATION_RETRY_MS 1000

static bool
is_durable(const struct heritage *heritage)
{
    return heritage->settings->segments_durability == DURABILITY_MACHINE;
}

void
file_release(struct destination *destination)
{
    descriptor_close(&destination->fd);
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
    file_release(*dp);
    free((*dp)->name);
    free(*dp);
    *dp = NULL;
}

int
file_open_or_create(const struct destination *destination)
{
    const struct heritage *heritage = destination->heritage;
    return output_path_open(heritage->fds[HERITAGE_FD_ROOT], heritage->fds[HERITAGE_FD_SEGMENTS],
                            destination->name, (mode_t)heritage->settings->output_mode);
}

static int
file_identify(struct destination *destination, uint64_t *device_r, uint64_t *inode_r)
{
    return output_path_identify(destination->heritage->fds[HERITAGE_FD_ROOT], destination->name,
                                device_r, inode_r);
}

int
file_adopt(struct destination *destination, int fd)
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
    destination->name_synced = false;
    destination->name_noted = false;
    return 0;
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
        log_write_braked(&destination->changed_brake, clock_monotonic_ms(), LOG_LEVEL_INFO,
                         "the output file was changed by somebody else; appending at its end",
                         LOG_FIELDS(log_string("output", destination->name),
                                    log_u64("bytes", (uint64_t)status.st_size),
                                    log_u64("expected_bytes", destination->size)));
    destination->size = (uint64_t)status.st_size;
    destination->modified_s = status.st_mtim.tv_sec;
    return 0;
}

/* Leaves a note of a file whose name is one that rotation gives: it is no rotated file. Returns 0
 * or a negative errno. */
static int
note_rotated_name(const struct destination *destination)
{
    const struct heritage *heritage = destination->heritage;
    int segments_fd = heritage->fds[HERITAGE_FD_SEGMENTS];
    char name[OUTPUT_NAME_BYTES_MAX];
    int64_t written_s;
    if (output_path_resolve(heritage->fds[HERITAGE_FD_ROOT], destination->fd, name) != 0)
        memcpy(name, destination->name, strlen(destination->name) + 1);
    if (!rotated_name_ends(name))
        return 0;
    int result = output_note_read(segments_fd, name, &written_s);
    return result == -ENOENT ? output_note_write(segments_fd, name, 0, is_durable(heritage))
                             : result;
}

/* Opens the file that the path leads to now, unless it is open. */
static int
open_current(struct destination *destination)
{
    int result = destination->fd < 0 ? 0 : leave_if_replaced(destination);
    if (result == 0 && destination->fd < 0) {
        int fd = file_open_or_create(destination);
        crash_point("file.opened");
        result = fd < 0 ? fd : file_adopt(destination, fd);
    }
    if (result == 0 && !destination->name_noted) {
        result = note_rotated_name(destination);
        destination->name_noted = result == 0;
    }
    return result == 0 ? look_at_size(destination) : result;
}

static void
log_no_rotation(struct destination *destination, int error, const struct rotation_report *report,
                uint64_t now_ms)
{
    if (error == -EEXIST && report->taken > 0)
        log_write_braked(&destination->rotation_brake, now_ms, LOG_LEVEL_ERROR,
                         "an output file is not rotated, since another output has the name that a "
                         "rotated file would get; it is written on until that file is moved away "
                         "and the adapter reloaded",
                         LOG_FIELDS(log_string("output", destination->name),
                                    log_u64("number", (uint64_t)report->taken)));
    else
        log_write_braked(&destination->rotation_brake, now_ms, LOG_LEVEL_ERROR,
                         "an output file cannot be rotated; it is written on",
                         LOG_FIELDS(log_string("output", destination->name), log_error(error)));
}

/* Gives the file another name. Returns 0, and the next one is to be opened, or a negative errno. */
static int
rotate(struct destination *destination)
{
    struct rotation_report report;
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms < destination->rotation_retry_ms)
        return -EAGAIN;
    int result = rotation_perform(destination->heritage, destination->name, destination->device,
                                  destination->inode, &report);
    if (result != 0) {
        destination->rotation_retry_ms = now_ms + ROTATION_RETRY_MS;
        log_no_rotation(destination, result, &report, now_ms);
        return result;
    }
    log_write(
        LOG_LEVEL_INFO, "an output file was rotated",
        LOG_FIELDS(log_string("output", destination->name), log_u64("bytes", destination->size)));
    if (report.passed_over > 0)
        log_write(LOG_LEVEL_WARNING,
                  "names of rotated files are taken by something that is no file; they were passed "
                  "over",
                  LOG_FIELDS(log_string("output", destination->name),
                             log_u64("names", (uint64_t)report.passed_over)));
    file_release(destination);
    return 0;
}

/* Reads the note of the period, once. Returns 0 or a negative errno. */
static int
seek_note(struct destination *destination)
{
    if (destination->note_sought)
        return 0;
    int result = output_note_read(destination->heritage->fds[HERITAGE_FD_SEGMENTS],
                                  destination->name, &destination->written_s);
    if (result != 0 && result != -ENOENT)
        return result;
    destination->note_sought = true;
    return 0;
}

/* When the file was last written, as far as is known. Without a note that is when its file system
 * says, if that is possible. */
static int64_t
last_written(const struct destination *destination, int64_t now_s)
{
    if (destination->written_s != 0)
        return destination->written_s;
    return destination->modified_s <= now_s ? destination->modified_s : now_s;
}

/* Notes that something is written in this period. */
static int
note_period(struct destination *destination, int64_t now_s)
{
    const struct heritage *heritage = destination->heritage;
    if (!rotation_period_begins(heritage->settings, destination->written_s, now_s))
        return 0;
    int result = output_note_write(heritage->fds[HERITAGE_FD_SEGMENTS], destination->name, now_s,
                                   is_durable(heritage));
    crash_point("file.period_noted");
    if (result == 0)
        destination->written_s = now_s;
    return result;
}

/* Rotates the file if it is large or old enough, and opens the next one. A file that cannot be
 * rotated is written on. Returns 0 or a negative errno. */
static int
rotate_if_due(struct destination *destination)
{
    const struct settings *settings = destination->heritage->settings;
    if (!rotated_name_is_in_use(settings))
        return 0; /* without a look at the clock */
    int64_t now_s = (int64_t)(clock_realtime_ns() / 1000000000);
    int result = settings->output_rotate_seconds > 0 ? seek_note(destination) : 0;
    if (result != 0)
        return result;
    if (!rotation_is_due(settings, destination->size, last_written(destination, now_s), now_s))
        return note_period(destination, now_s);
    if (rotate(destination) != 0)
        return 0;
    result = open_current(destination);
    return result == 0 ? note_period(destination, now_s) : result;
}

static int
file_prepare(struct destination *destination, struct ledger_mark *mark_r)
{
    int result = open_current(destination);
    if (result == 0)
        result = rotate_if_due(destination);
    mark_r->device = destination->device;
    mark_r->inode = destination->inode;
    mark_r->offset = destination->size;
    return result;
}

/* A short write, as on a volume that is filling up, may end inside a record. It is not gone on with
 * here: somebody may have written behind it by now, and complete() looks. */
int
file_append(struct destination *destination, const struct iovec *records, size_t count,
            bool *moved_r)
{
    size_t done = 0;
    while (done < count) {
        size_t tried;
        ssize_t written =
            record_writer_write(destination->fd, records + done, count - done, &tried);
        if (written < 0)
            return -errno;
        destination->size += (uint64_t)written;
        *moved_r = true;
        crash_point("file.written");
        size_t bytes;
        size_t whole = record_writer_count_whole(records + done, tried, (size_t)written, &bytes);
        if (whole < tried)
            return -ENOSPC;
        done += whole;
    }
    return 0;
}

static int
file_sync(struct destination *destination)
{
    const struct heritage *heritage = destination->heritage;
    INVARIANT(destination->fd >= 0);
    disk_sync_data(destination->fd, destination->name);
    crash_point("file.synced");
    if (destination->name_synced)
        return 0;
    int result = output_path_sync_directories(heritage->fds[HERITAGE_FD_ROOT], destination->name);
    destination->name_synced = result == 0;
    return result;
}

const struct destination_kind file_destination = {
    .open = file_open,
    .prepare = file_prepare,
    .deliver = file_append,
    .complete = file_complete,
    .look = file_look,
    .peek = file_peek,
    .sync = file_sync,
    .identify = file_identify,
    .release = file_release,
    .close = file_close,
};
