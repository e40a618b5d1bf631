/* bare_system_shim.c -- preloaded by a test: a system without what BARE_SYSTEM names, words with
 * spaces between them:
 *   openat2:ENOSYS, openat2:EPERM   openat2(2) fails with that (an old kernel; a sandbox)
 *   noreplace                       renameat2(2) with flags fails with EINVAL (NFS, 9p, FUSE)
 *   fallocate                       fallocate(2) fails with EOPNOTSUPP (NFS 3, FUSE)
 *   directory-locks                 flock(2) of a directory fails with EBADF (NFS) */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
lacks(const char *word)
{
    const char *words = getenv("BARE_SYSTEM");
    return words != NULL && strstr(words, word) != NULL;
}

static void *
next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

static int
fail(int error)
{
    errno = error;
    return -1;
}

long
syscall(long number, ...)
{
    va_list rest;
    va_start(rest, number);
    long a[6];
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_openat2 && lacks("openat2:ENOSYS"))
        return fail(ENOSYS);
    if (number == SYS_openat2 && lacks("openat2:EPERM"))
        return fail(EPERM);
    long (*real)(long, ...) = (long (*)(long, ...))next("syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int
renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    typedef int (*call)(int, const char *, int, const char *, unsigned);
    if (flags != 0 && lacks("noreplace"))
        return fail(EINVAL);
    return ((call)next("renameat2"))(from_fd, from, to_fd, to, flags);
}

int
fallocate(int fd, int mode, off_t at, off_t size)
{
    typedef int (*call)(int, int, off_t, off_t);
    if (lacks("fallocate"))
        return fail(EOPNOTSUPP);
    return ((call)next("fallocate"))(fd, mode, at, size);
}

int
flock(int fd, int operation)
{
    typedef int (*call)(int, int);
    struct stat status;
    if (lacks("directory-locks") && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        return fail(EBADF);
    return ((call)next("flock"))(fd, operation);
}
