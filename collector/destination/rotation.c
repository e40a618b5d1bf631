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
#include "base/invariant.h"
#include "base/rename.h"
#include "collector/destination/output_note.h"
#include "common/heritage.h"
#include "common/output_path.h"
#include "common/settings.h"

/* output.rotate_keep is no more. */
#define KEEP_MAX 1000

/* What stands at a number. */
enum place {
    PLACE_FREE,
    /* A regular file that no output has: one that was rotated. */
    PLACE_ROTATED,
    /* A directory, a link, a device. */
    PLACE_STRANGE,
    /* The file of another output. */
    PLACE_TAKEN,
};

struct rotation {
    const struct heritage *heritage;
    int directory_fd;
    /* The directory beneath output.root, links resolved; "" = the root itself. */
    char directory[OUTPUT_NAME_BYTES_MAX];
    /* The name in that directory. */
    const char *base;
    bool durable;
    int64_t keep;
    /* The numbers that take part, from the lowest: the base, those of rotated files, and the one
     * that the last of them gets. */
    int64_t numbers[KEEP_MAX + 1];
    size_t count;
    /* The last of the numbers is free: nothing is replaced. */
    bool ends_free;
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

bool
rotation_period_begins(const struct settings *settings, int64_t written_s, int64_t now_s)
{
    if (settings->output_rotate_seconds == 0)
        return false;
    int64_t before = written_s / settings->output_rotate_seconds;
    int64_t now = now_s / settings->output_rotate_seconds;
    return written_s == 0 || before < now || before > now + 1;
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

/* Whether the file in the directory is that of an output. Returns 1 or 0, or a negative errno. */
static int
is_output(const struct rotation *rotation, const char *file_name)
{
    char name[OUTPUT_NAME_BYTES_MAX * 2];
    int size = snprintf(name, sizeof(name), "%s%s%s", rotation->directory,
                        rotation->directory[0] == '\0' ? "" : "/", file_name);
    if (size < 0 || size >= (int)OUTPUT_NAME_BYTES_MAX)
        return 0;
    return output_note_is_output(rotation->heritage->fds[HERITAGE_FD_SEGMENTS], name);
}

/* Finds out what stands at a number. Returns 0, or a negative errno if that cannot be told: to take
 * a number for free would be to lose its file. */
static int
look_at(const struct rotation *rotation, int64_t number, enum place *place_r)
{
    char name[OUTPUT_NAME_BYTES_MAX];
    struct stat status;
    format_name(rotation, number, name);
    int result = is_output(rotation, name);
    if (result < 0)
        return result;
    if (result > 0)
        *place_r = PLACE_TAKEN;
    else if (fstatat(rotation->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        *place_r = S_ISREG(status.st_mode) ? PLACE_ROTATED : PLACE_STRANGE;
    else if (errno == ENOENT)
        *place_r = PLACE_FREE;
    else
        return -errno;
    return 0;
}

/* Lists the numbers that take part, up to the first one that is free. If none is, the last file is
 * replaced. Returns 0 or a negative errno. */
static int
choose_numbers(struct rotation *rotation, struct rotation_report *report)
{
    INVARIANT(rotation->keep >= 1 && rotation->keep <= KEEP_MAX);
    rotation->numbers[rotation->count++] = 0;
    for (int64_t number = 1; number <= rotation->keep && !rotation->ends_free; number++) {
        enum place place = PLACE_TAKEN;
        int result = look_at(rotation, number, &place);
        if (result != 0)
            return result;
        switch (place) {
        case PLACE_FREE:
            rotation->ends_free = true;
            rotation->numbers[rotation->count++] = number;
            break;
        case PLACE_ROTATED:
            rotation->numbers[rotation->count++] = number;
            break;
        case PLACE_STRANGE:
            report->passed_over++;
            break;
        case PLACE_TAKEN:
            report->taken = number;
            return -EEXIST;
        }
    }
    return rotation->count > 1 ? 0 : -EISDIR;
}

/* One step: the file at one of the numbers gets the next one. */
static int
move_up(const struct rotation *rotation, size_t index)
{
    char from[OUTPUT_NAME_BYTES_MAX];
    char to[OUTPUT_NAME_BYTES_MAX];
    bool replaces = index + 2 == rotation->count && !rotation->ends_free;
    format_name(rotation, rotation->numbers[index], from);
    format_name(rotation, rotation->numbers[index + 1], to);
    if (!replaces)
        return rename_noreplace(rotation->directory_fd, from, rotation->directory_fd, to);
    return renameat(rotation->directory_fd, from, rotation->directory_fd, to) == 0 ? 0 : -errno;
}

static int
rotate(struct rotation *rotation, uint64_t device, uint64_t inode, struct rotation_report *report)
{
    struct stat status;
    if (fstatat(rotation->directory_fd, rotation->base, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (status.st_dev != device || status.st_ino != inode)
        return -ELOOP;
    int result = choose_numbers(rotation, report);
    for (size_t index = rotation->count - 1; index > 1 && result == 0; index--) {
        result = move_up(rotation, index - 1);
        crash_point("rotation.moved_up");
    }
    if (result == 0)
        result = move_up(rotation, 0);
    crash_point("rotation.renamed");
    if (result == 0 && rotation->durable)
        disk_sync(rotation->directory_fd, rotation->base);
    return result;
}

int
rotation_perform(const struct heritage *heritage, const char *name, uint64_t device, uint64_t inode,
                 struct rotation_report *report_r)
{
    const struct settings *settings = heritage->settings;
    int root_fd = heritage->fds[HERITAGE_FD_ROOT];
    const char *slash = strrchr(name, '/');
    struct rotation rotation = {
        .heritage = heritage,
        .directory_fd = output_path_open_directory(root_fd, name),
        .base = slash == NULL ? name : slash + 1,
        .durable = settings->segments_durability == DURABILITY_MACHINE,
        .keep = settings->output_rotate_keep,
    };
    *report_r = (struct rotation_report){0};
    if (rotation.directory_fd < 0)
        return rotation.directory_fd;
    int result = output_path_resolve(root_fd, rotation.directory_fd, rotation.directory);
    if (result == 0)
        result = rotate(&rotation, device, inode, report_r);
    (void)close(rotation.directory_fd);
    return result;
}
