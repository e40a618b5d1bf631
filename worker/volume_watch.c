/* volume_watch.c -- compares paths with descriptors; volume_watch.h. Runs in a worker. */
#include "worker/volume_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/heritage.h"
#include "common/settings.h"

#define LOOK_MS 250

/* Where a path leads, compared with a descriptor. */
enum place {
    PLACE_SAME,
    PLACE_OTHER,
    PLACE_NONE,

    /* It cannot be told now: what was known before still holds. */
    PLACE_UNKNOWN,
};

static enum place
find_place(const char *path, int fd)
{
    struct stat named;
    struct stat open;
    if (fstat(fd, &open) != 0)
        return PLACE_UNKNOWN;
    if (fstatat(AT_FDCWD, path, &named, 0) != 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? PLACE_NONE : PLACE_UNKNOWN;
    return named.st_dev == open.st_dev && named.st_ino == open.st_ino ? PLACE_SAME : PLACE_OTHER;
}

/* Whether the path leads to the directory of the descriptor. If not, the refusal says so. */
static bool
check(struct volume_watch *watch, const char *setting, const char *path, int fd)
{
    switch (find_place(path, fd)) {
    case PLACE_SAME:
        return true;
    case PLACE_OTHER:
        return call_refuse(&watch->refusal, REFUSAL_SYSTEM,
                           "%s: \"%.200s\" leads to another directory than at the start: "
                           "something is mounted over it, or it was replaced",
                           setting, path);
    case PLACE_NONE:
        return call_refuse(&watch->refusal, REFUSAL_SYSTEM,
                           "%s: there is no \"%.200s\" any more: it was renamed, removed or "
                           "unmounted",
                           setting, path);
    case PLACE_UNKNOWN:
        break;
    }
    return !watch->is_away;
}

void
volume_watch_init(struct volume_watch *watch, const struct heritage *heritage)
{
    *watch = (struct volume_watch){.heritage = heritage};
}

void
volume_watch_look(struct volume_watch *watch, uint64_t now_ms)
{
    const struct heritage *heritage = watch->heritage;
    const struct settings *settings = heritage->settings;
    if (now_ms < watch->look_at_ms)
        return;
    watch->look_at_ms = now_ms + LOOK_MS;
    bool was_away = watch->is_away;
    watch->is_away =
        !check(watch, "output.root", settings->output_root, heritage->fds[HERITAGE_FD_ROOT]) ||
        !check(watch, "segments.directory", settings->segments_directory,
               heritage->fds[HERITAGE_FD_SEGMENTS]);
    if (watch->is_away)
        log_write_braked(&watch->brake, now_ms, LOG_LEVEL_ERROR,
                         "the volume is not in its place; calls are refused until it is",
                         LOG_FIELDS(log_string("reason", watch->refusal.text)));
    else if (was_away)
        log_write(LOG_LEVEL_INFO, "the volume is in its place again", NULL);
}
