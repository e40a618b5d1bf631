/* fdatasync_shim.c -- preloaded by a test: while the file named in FDATASYNC_SLOW_FILE exists,
 * fdatasync() waits until it is gone; while the one in FDATASYNC_FAIL_FILE exists, it fails with
 * EIO. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static bool
is_there(const char *variable)
{
    const char *file = getenv(variable);
    return file != NULL && access(file, F_OK) == 0;
}

/* While the file named in SYNC_DELAY_FILE exists, each sync takes half a second. */
static void
delay(void)
{
    if (is_there("SYNC_DELAY_FILE"))
        (void)usleep(500000);
}

int
fsync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (next == NULL)
        abort();
    delay();
    return next(fd);
}

int
fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (next == NULL)
        abort();
    delay();
    while (is_there("FDATASYNC_SLOW_FILE"))
        (void)usleep(2000);
    if (is_there("FDATASYNC_FAIL_FILE")) {
        errno = EIO;
        return -1;
    }
    return next(fd);
}
