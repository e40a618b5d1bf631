/* fdatasync_shim.c -- preloaded by a test: while the file named in FDATASYNC_SLOW_FILE exists,
 * fdatasync() waits until it is gone; while the one in FDATASYNC_FAIL_FILE exists, it fails with
 * EIO. While the one in SYNC_STUCK_FILE exists, fdatasync() of the file whose name ends in what it
 * holds waits. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Whether a file's name ends in the word that the file named in SYNC_STUCK_FILE holds. */
static bool
is_stuck(int fd)
{
    char link[64];
    char path[4096] = "";
    char word[256] = "";
    const char *variable = getenv("SYNC_STUCK_FILE");
    FILE *file = variable == NULL ? NULL : fopen(variable, "re");
    if (file == NULL)
        return false;
    bool got = fgets(word, sizeof(word), file) != NULL;
    (void)fclose(file);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    size_t length = strlen(word);
    return got && size >= (ssize_t)length && strcmp(path + size - length, word) == 0;
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
    while (is_there("FDATASYNC_SLOW_FILE") || is_stuck(fd))
        (void)usleep(2000);
    if (is_there("FDATASYNC_FAIL_FILE")) {
        errno = EIO;
        return -1;
    }
    return next(fd);
}
