/* file_undo.c -- takes back the batch that an earlier collector left unfinished in an output file.
 * Runs in the collector.
 *
 * The ledger's mark says which file it was, and how large before the batch. The file may have
 * another name by now (logrotate): it is looked for in its directory. What cannot be found again is
 * left, and the batch, which comes again, may then stand twice; the log says so.
 *
 * Crash contract: the file is cut by one call. A kill before it leaves the batch for the next
 * collector, one after it a file that is as the mark says.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/directory.h"
#include "base/log.h"
#include "collector/destination/file_destination_private.h"
#include "common/heritage.h"
#include "common/output_path.h"

static bool
is_marked(const struct destination *destination, const struct ledger_mark *mark)
{
    return destination->device == mark->device && destination->inode == mark->inode;
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
    int result = fd < 0 ? fd : file_adopt(destination, fd);
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
    int result = adopt_if_marked(destination, file_open_existing(destination), mark);
    if (result != -ENOENT || destination->aside || !find_renamed(destination, mark->inode, name))
        return result;
    return adopt_if_marked(destination,
                           output_path_open_existing(heritage->fds[HERITAGE_FD_ROOT],
                                                     heritage->fds[HERITAGE_FD_SEGMENTS], name),
                           mark);
}

int
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
