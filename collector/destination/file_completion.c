/* file_completion.c -- goes on with a batch of which any part may stand in an output file: a
 * collector died in it, or the volume was full. Runs in the collector.
 *
 * The ledger's mark says which file it was, and how large before the batch. What stands behind that
 * size is compared with the batch itself, and what is missing is appended. Nothing is cut off, and
 * nothing written over but zeros in the place of the batch, and the batch's own bytes with the same
 * ones.
 *
 * The file may have another name by now (logrotate): it is looked for in its directory. It may have
 * other numbers, or be a copy (a volume that was moved or restored): then its content tells.
 *
 * Crash contract: a kill at any instruction leaves a file that is compared again.
 */
#include <dirent.h>
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
#include "base/directory.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/destination/comparison.h"
#include "collector/destination/file_destination_private.h"
#include "common/heritage.h"
#include "common/output_path.h"

/* How much of what others wrote is looked through for the batch. */
#define STRANGERS_BYTES_MAX (UINT64_C(4) << 20)

/* Others may write while the batch is gone on with; so often it is compared. */
#define ATTEMPTS_MAX 16

/* A batch that is gone on with. */
struct completion {
    struct destination *destination;
    const struct ledger_mark *mark;
    const struct iovec *records;
    size_t count;
    uint64_t batch_bytes;
    /* Of the file, for reading; -1 = there is none. */
    int fd;
    /* The file is not made, and no record is written that does not stand. */
    bool looks_only;
    /* What stands is written again where it stands. */
    bool again;
    /* It stands under the output's name and has the numbers of the mark. */
    bool is_marked;
    /* Where in the file the tail begins. */
    uint64_t tail_offset;
    /* What stands behind the mark, as far as it is looked at, and whether that is all. */
    char *tail;
    size_t tail_size;
    bool tail_is_whole;
    size_t *places;
    bool *moved_r;
};

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
 * the directory can tell. Returns FOUND, 0 if none has it, or a negative errno. */
static int
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
        return fd == -ENOENT ? 0 : fd;
    int result = directory_read(fd, ".", visit_entry, &search);
    (void)close(fd);
    return result == -ENAMETOOLONG ? 0 : result;
}

/* ---- finding the file */

static bool
is_marked(const struct destination *destination, const char *name, const struct ledger_mark *mark)
{
    uint64_t device;
    uint64_t inode;
    return output_path_identify(destination->heritage->fds[HERITAGE_FD_ROOT], name, &device,
                                &inode) == 0 &&
           device == mark->device && inode == mark->inode;
}

static void
close_file(struct completion *completion)
{
    file_release(completion->destination);
    descriptor_close(&completion->fd);
}

static int
open_to_append(const struct completion *completion, const char *name)
{
    const int *fds = completion->destination->heritage->fds;
    int fd = output_path_open_existing(fds[HERITAGE_FD_ROOT], fds[HERITAGE_FD_SEGMENTS], name);
    return fd < 0 ? fd : file_adopt(completion->destination, fd);
}

/* Opens the file of that name for appending and for reading. Returns 0, or a negative errno with
 * nothing open. */
static int
open_file(struct completion *completion, const char *name)
{
    struct destination *destination = completion->destination;
    const int *fds = destination->heritage->fds;
    struct stat status;
    bool writes = !completion->looks_only || completion->again;
    int result = writes ? open_to_append(completion, name) : 0;
    if (result != 0)
        return result;
    completion->fd =
        output_path_open_to_read(fds[HERITAGE_FD_ROOT], fds[HERITAGE_FD_SEGMENTS], name);
    if (completion->fd < 0)
        result = completion->fd;
    else if (fstat(completion->fd, &status) != 0)
        result = -errno;
    else if (writes &&
             (status.st_dev != destination->device || status.st_ino != destination->inode))
        result = -EAGAIN; /* it was replaced in between */
    if (result == 0)
        return 0;
    close_file(completion);
    return result;
}

/* Zeros where the batch should stand are what a loss of power left of it; but in a file that need
 * not be the marked one only if bytes of the batch stand among them. Else they are somebody's own,
 * and what stands is looked for behind them. */
static void
skip_strange_zeros(struct completion *completion)
{
    size_t zeros = 0;
    if (completion->is_marked)
        return;
    while (zeros < completion->tail_size && completion->tail[zeros] == '\0')
        zeros++;
    if (zeros < completion->tail_size && zeros < completion->batch_bytes)
        return;
    completion->tail_size -= zeros;
    completion->tail_offset += zeros;
    memmove(completion->tail, completion->tail + zeros, completion->tail_size);
}

/* Reads what stands behind the mark. Returns 0 or a negative errno. */
static int
read_tail(struct completion *completion)
{
    struct stat status;
    uint64_t offset = completion->mark->offset;
    if (fstat(completion->fd, &status) != 0)
        return -errno;
    completion->destination->size = (uint64_t)status.st_size;
    uint64_t behind =
        completion->destination->size > offset ? completion->destination->size - offset : 0;
    size_t wanted = (size_t)(behind < completion->batch_bytes + STRANGERS_BYTES_MAX
                                 ? behind
                                 : completion->batch_bytes + STRANGERS_BYTES_MAX);
    completion->tail_size = 0;
    while (completion->tail_size < wanted) {
        ssize_t got =
            pread(completion->fd, completion->tail + completion->tail_size,
                  wanted - completion->tail_size, (off_t)(offset + completion->tail_size));
        if (got < 0)
            return -errno;
        if (got == 0)
            break; /* it was cut short meanwhile */
        completion->tail_size += (size_t)got;
    }
    completion->tail_is_whole = completion->tail_size == behind;
    completion->tail_offset = offset;
    skip_strange_zeros(completion);
    return 0;
}

static struct comparison
compare(const struct completion *completion)
{
    struct comparison made = comparison_make(
        completion->records, completion->count,
        (struct bytes){completion->tail, completion->tail_size}, completion->places);
    if (!completion->tail_is_whole)
        made.torn_bytes = 0;
    return made;
}

/* Whether the file that is open has any byte of the batch behind the mark. Zeros alone say nothing.
 * Returns 1, 0, or a negative errno. */
static int
has_any_of_batch(struct completion *completion)
{
    int result = read_tail(completion);
    if (result != 0)
        return result;
    struct comparison made = compare(completion);
    return made.has_holes || made.missing < completion->count || made.torn_bytes > 0;
}

/* Errors that say that what has the inode now is no file of ours. */
static bool
is_no_output(int error)
{
    return error == -ENOENT || error == -EISDIR || error == -ENXIO || error == -ELOOP ||
           error == -EXDEV;
}

/* Opens the file that has the marked inode's number under another name, if some of the batch
 * stands in it: after the output was removed, a stranger's new file may have got the inode, and on
 * another device the number means nothing. One that is only looked at must be the marked file.
 * Returns FOUND, 0 with nothing open, or a negative errno. */
static int
open_renamed(struct completion *completion, const char *name)
{
    int result = open_file(completion, name);
    if (result != 0)
        return is_no_output(result) ? 0 : result;
    result = completion->count == 0 ? completion->destination->device == completion->mark->device
                                    : has_any_of_batch(completion);
    if (result <= 0)
        close_file(completion);
    return result;
}

/* Opens the file that has the batch's beginning: the marked one under the output's name, or the
 * one with its inode in its directory, or else what the output's name leads to, and if that is
 * nothing, a new file. */
static int
find_file(struct completion *completion)
{
    struct destination *destination = completion->destination;
    const struct ledger_mark *mark = completion->mark;
    char name[OUTPUT_NAME_BYTES_MAX];
    bool marked = is_marked(destination, destination->name, mark);
    int result = marked ? 0 : find_renamed(destination, mark->inode, name);
    if (result == FOUND)
        result = strcmp(name, destination->name) == 0 ? 0 : open_renamed(completion, name);
    if (result != 0)
        return result == FOUND ? 0 : result;
    completion->is_marked = marked;
    result = open_file(completion, destination->name);
    if (completion->looks_only && is_no_output(result))
        return 0;
    if (result != -ENOENT)
        return result;
    completion->is_marked = false;
    int fd = file_open_or_create(destination);
    if (fd < 0)
        return fd;
    (void)close(fd);
    return open_file(completion, destination->name);
}

/* ---- writing */

/* Writes where bytes stand already: for the time of it the file is not open for appending.
 * Returns 0 or a negative errno. A file that cannot be opened for appending again is let go. */
static int
write_in_place(const struct completion *completion, const void *bytes, size_t size, uint64_t at)
{
    int fd = completion->destination->fd;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_APPEND) != 0)
        return -errno;
    ssize_t written = pwrite(fd, bytes, size, (off_t)at);
    int result = written == (ssize_t)size ? 0 : written < 0 ? -errno : -EIO;
    crash_point("file.written_in_place");
    if (fcntl(fd, F_SETFL, flags) == 0)
        return result;
    result = -errno;
    file_release(completion->destination); /* what is written next must be appended */
    return result;
}

/* Puts the batch's bytes where they should stand, as far as the file goes. */
static int
fill_holes(const struct completion *completion)
{
    uint64_t at = completion->tail_offset;
    uint64_t end = at + completion->tail_size;
    int result = 0;
    for (size_t i = 0; i < completion->count && at < end && result == 0; i++) {
        const struct iovec *record = &completion->records[i];
        size_t size = record->iov_len < end - at ? record->iov_len : (size_t)(end - at);
        result = write_in_place(completion, record->iov_base, size, at);
        at += size;
    }
    return result;
}

/* Writes what stands once more where it stands. In a file that may only be appended to (chattr
 * +a) it stays as it is. */
static int
write_again(const struct completion *completion, const struct comparison *made)
{
    uint64_t offset = completion->tail_offset;
    int result = 0;
    for (size_t i = 0; i < completion->count && result == 0; i++) {
        if (completion->places[i] != COMPARISON_MISSING)
            result = write_in_place(completion, completion->records[i].iov_base,
                                    completion->records[i].iov_len, offset + completion->places[i]);
    }
    if (result == 0 && made->torn_bytes > 0)
        result =
            write_in_place(completion, completion->records[made->first_missing].iov_base,
                           made->torn_bytes, offset + completion->tail_size - made->torn_bytes);
    return result == -EPERM ? 0 : result;
}

/* Appends records, and looks whether they stand behind what stood before. Returns 0, 1 if
 * somebody else has written meanwhile, or a negative errno. */
static int
append(struct completion *completion, const struct iovec *records, size_t count)
{
    struct destination *destination = completion->destination;
    struct stat status;
    int result = file_append(destination, records, count, completion->moved_r);
    if (result != 0)
        return result;
    if (fstat(destination->fd, &status) != 0)
        return -errno;
    return (uint64_t)status.st_size == destination->size ? 0 : 1;
}

/* Appends what does not stand, and first the rest of a torn record. Returns as append() does. */
static int
append_missing(struct completion *completion, const struct comparison *made)
{
    size_t i = made->first_missing;
    int result = 0;
    if (made->torn_bytes > 0) {
        const struct iovec *torn = &completion->records[i++];
        struct iovec rest = {(char *)torn->iov_base + made->torn_bytes,
                             torn->iov_len - made->torn_bytes};
        result = append(completion, &rest, 1);
    }
    while (i < completion->count && result == 0) {
        size_t end = i;
        while (end < completion->count && completion->places[end] == COMPARISON_MISSING)
            end++;
        if (end > i)
            result = append(completion, completion->records + i, end - i);
        i = end + 1;
    }
    return result;
}

static void
log_completion(const struct completion *completion, const struct comparison *made)
{
    bool cut = completion->destination->size < completion->mark->offset;
    log_write_braked(
        &completion->destination->completion_brake, clock_monotonic_ms(),
        cut || made->strangers ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
        cut ? "the output file is shorter than it was; its last batch is written at its end"
        : made->strangers
            ? "an unfinished batch is completed; somebody else has written to the output"
            : "an unfinished batch is completed",
        LOG_FIELDS(log_string("output", completion->destination->name),
                   log_u64("records", completion->count), log_u64("missing", made->missing),
                   log_u64("torn_bytes", made->torn_bytes)));
}

/* Whether nothing of the batch stands in a file that need not be the marked one. The mark must say
 * which file it is before any of the batch stands there: zeros that a loss of power leaves of it
 * would be taken for somebody's own. */
static bool
is_elsewhere(const struct completion *completion, const struct comparison *made)
{
    return !completion->is_marked && made->missing == completion->count && made->torn_bytes == 0;
}

/* Compares once and writes what that shows. Returns 1 if it must be compared again, 0 when all
 * of the batch stands, or a negative errno. */
static int
go_on(struct completion *completion, bool first, size_t *standing_r)
{
    int result = read_tail(completion);
    if (result != 0)
        return result;
    struct comparison made = compare(completion);
    if (first)
        log_completion(completion, &made);
    if (made.has_holes) {
        result = fill_holes(completion);
        return result == 0 ? 1 : result;
    }
    if (completion->again)
        result = write_again(completion, &made);
    if (result != 0 || made.missing == 0)
        return result;
    *standing_r = made.first_missing;
    if (completion->destination->size < completion->mark->offset || !completion->tail_is_whole ||
        is_elsewhere(completion, &made))
        return -ERANGE;
    result = append_missing(completion, &made);
    crash_point("file.completed");
    return result;
}

/* Compares and writes until all of the batch stands. */
static int
complete(struct completion *completion, size_t *standing_r)
{
    int result = 1;
    for (int attempt = 0; attempt < ATTEMPTS_MAX && result == 1; attempt++)
        result = go_on(completion, attempt == 0, standing_r);
    return result == 1 ? -EAGAIN : result;
}

/* Room for what stands and where. Returns 0 or -ENOMEM; close_completion() in either case. */
static int
open_completion(struct completion *completion)
{
    INVARIANT(completion->count > 0);
    for (size_t i = 0; i < completion->count; i++)
        completion->batch_bytes += completion->records[i].iov_len;
    completion->tail = malloc(completion->batch_bytes + STRANGERS_BYTES_MAX);
    completion->places = calloc(completion->count, sizeof(*completion->places));
    file_release(completion->destination);
    return completion->tail == NULL || completion->places == NULL ? -ENOMEM : 0;
}

static void
close_completion(struct completion *completion)
{
    descriptor_close(&completion->fd);
    free(completion->tail);
    free(completion->places);
}

int
file_complete(struct destination *destination, const struct ledger_mark *mark,
              const struct iovec *records, size_t count, bool again, bool *moved_r,
              size_t *standing_r)
{
    struct completion completion = {.destination = destination,
                                    .mark = mark,
                                    .records = records,
                                    .count = count,
                                    .fd = -1,
                                    .again = again,
                                    .moved_r = moved_r};
    *standing_r = 0;
    int result = open_completion(&completion);
    if (result == 0)
        result = find_file(&completion);
    if (result == 0)
        result = complete(&completion, standing_r);
    close_completion(&completion);
    return result;
}

/* Says which records stand. Zeros in their place may yet be filled, but not by who only looks. */
static int
judge(struct completion *completion, bool *stands_r)
{
    int result = completion->fd < 0 ? 0 : read_tail(completion);
    if (result != 0)
        return result;
    struct comparison made = compare(completion);
    if (made.has_holes)
        return -EAGAIN;
    if (made.torn_bytes > 0 && !completion->again) /* else it was said before */
        log_write(LOG_LEVEL_WARNING, "a part of a record stays in the output",
                  LOG_FIELDS(log_string("output", completion->destination->name),
                             log_u64("bytes", made.torn_bytes)));
    for (size_t i = 0; i < completion->count; i++)
        stands_r[i] = completion->places[i] != COMPARISON_MISSING;
    return completion->again && completion->fd >= 0 ? write_again(completion, &made) : 0;
}

static int
look(struct destination *destination, const struct ledger_mark *mark, const struct iovec *records,
     size_t count, bool again, bool *stands_r)
{
    struct completion completion = {.destination = destination,
                                    .mark = mark,
                                    .records = records,
                                    .count = count,
                                    .fd = -1,
                                    .looks_only = true,
                                    .again = again};
    int result = open_completion(&completion);
    if (result == 0)
        result = find_file(&completion);
    if (result == 0)
        result = judge(&completion, stands_r);
    close_completion(&completion);
    return result;
}

/* The file is opened for writing only if something stands there that is to be written again. */
int
file_look(struct destination *destination, const struct ledger_mark *mark,
          const struct iovec *records, size_t count, bool again, bool *stands_r)
{
    bool any = false;
    int result = look(destination, mark, records, count, false, stands_r);
    for (size_t i = 0; i < count && result == 0; i++)
        any = any || stands_r[i];
    return any && again ? look(destination, mark, records, count, true, stands_r) : result;
}

ssize_t
file_peek(struct destination *destination, const struct ledger_mark *mark, char *bytes)
{
    struct completion completion = {.destination = destination, .mark = mark, .fd = -1};
    file_release(destination);
    int result = find_file(&completion);
    if (result != 0)
        return result;
    ssize_t got = pread(completion.fd, bytes, mark->length, (off_t)mark->offset);
    if (got < 0)
        got = -errno;
    close_file(&completion);
    return got;
}
