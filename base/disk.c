/* disk.c -- syncs, in workers and the collector; disk.h says why it never fails. */
#include "base/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/invariant.h"
#include "base/log.h"

/* Without the handlers of exit(): other threads may be in the middle of anything. */
_Noreturn static void
end_process(const char *what, int error)
{
    log_write(LOG_LEVEL_ERROR, "the disk cannot be synced; this process ends",
              LOG_FIELDS(log_string("what", what), log_error(error)));
    _exit(EXIT_FAILURE);
}

void
disk_sync_data(int fd, const char *what)
{
    INVARIANT(fd >= 0);
    if (fdatasync(fd) != 0)
        end_process(what, errno);
}

void
disk_sync(int fd, const char *what)
{
    INVARIANT(fd >= 0);
    if (fsync(fd) != 0)
        end_process(what, errno);
}
