/* crash_point.c -- dies by SIGKILL at a place that is armed, in builds for the crash tests only;
 * runs in every process.
 *
 * The directory named by MYGRPCADAPTER_CRASH_POINTS holds what is armed: a file NAME.1, NAME.2,
 * ... for each death that is still to come at the place NAME. Who dies takes one of them away, so
 * each is one death, whichever process comes by.
 */
#include "base/crash_point.h"

#ifdef MYGRPCADAPTER_CRASH_POINTS

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEATHS_MAX 4

void
crash_point(const char *name)
{
    int error = errno;
    const char *directory = getenv("MYGRPCADAPTER_CRASH_POINTS");
    for (int death = 1; directory != NULL && death <= DEATHS_MAX; death++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof(path), "%s/%s.%d", directory, name, death);
        if (length > 0 && length < (int)sizeof(path) && unlink(path) == 0)
            (void)kill(getpid(), SIGKILL);
    }
    errno = error;
}

#endif
