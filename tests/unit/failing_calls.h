/* failing_calls.h -- system calls that fail when a test wants it, of the code under test too: what
 * is defined in the test program comes before what libc has of that name.
 *
 * One call at a time, of files whose path has a text in it: failing = (struct failing_call){.call =
 *     "pwrite", .file = "ledger-", .error = EIO, .times = 1};
 */
#ifndef MYGRPCADAPTER_TESTS_UNIT_FAILING_CALLS_H
#define MYGRPCADAPTER_TESTS_UNIT_FAILING_CALLS_H

#include "tests/unit/scratch.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct failing_call {
    /* NULL: nothing fails. */
    const char *call;
    const char *file;
    int error;
    /* So many succeed first; then so many fail. */
    unsigned skip;
    unsigned times;
    /* How often it has failed. */
    unsigned failed;
};

#define FAILING_ALWAYS UINT_MAX

static struct failing_call failing;

/* An entry of this name is not seen by who reads a directory; NULL = all are. */
static const char *hidden_entry;

/* Called before each call of writev(); NULL = nobody is. */
static void (*before_writev)(void);

/* Whether this call is to fail; then errno says how. */
static inline bool
failing_now(const char *call, const char *path)
{
    if (failing.call == NULL || strcmp(failing.call, call) != 0 ||
        strstr(path, failing.file) == NULL || failing.times == 0)
        return false;
    if (failing.skip > 0) {
        failing.skip--;
        return false;
    }
    failing.times -= failing.times == FAILING_ALWAYS ? 0 : 1;
    failing.failed++;
    errno = failing.error;
    return true;
}

static inline bool
failing_now_of(const char *call, int fd)
{
    char link[64];
    char path[PATH_MAX] = "";
    if (failing.call == NULL)
        return false;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    return length > 0 && failing_now(call, path);
}

struct dirent *hiding_readdir(DIR *directory) __asm__("readdir");
int failing_openat(int directory_fd, const char *path, int flags, ...) __asm__("openat");
int failing_fcntl(int fd, int command, ...) __asm__("fcntl");
ssize_t failing_pread(int fd, void *to, size_t size, off_t at) __asm__("pread");
ssize_t failing_pread_checked(int fd, void *to, size_t size, off_t at,
                              size_t room) __asm__("__pread_chk");
ssize_t failing_pwrite(int fd, const void *from, size_t size, off_t at) __asm__("pwrite");
ssize_t failing_writev(int fd, const struct iovec *from, int count) __asm__("writev");

struct dirent *
hiding_readdir(DIR *directory)
{
    static struct dirent *(*real)(DIR *);
    if (real == NULL)
        *(void **)(void *)&real = dlsym(RTLD_NEXT, "readdir");
    struct dirent *entry = real(directory);
    while (entry != NULL && hidden_entry != NULL && strcmp(entry->d_name, hidden_entry) == 0)
        entry = real(directory);
    return entry;
}

int
failing_openat(int directory_fd, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, unsigned) : 0;
    va_end(list);
    return failing_now("openat", path) ? -1
                                       : (int)syscall(SYS_openat, directory_fd, path, flags, mode);
}

int
failing_fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    long argument = command == F_GETFL || command == F_GETFD ? 0 : va_arg(list, int);
    va_end(list);
    return failing_now_of("fcntl", fd) ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

ssize_t
failing_pread(int fd, void *to, size_t size, off_t at)
{
    return failing_now_of("pread", fd) ? -1 : syscall(SYS_pread64, fd, to, size, at);
}

ssize_t
failing_pread_checked(int fd, void *to, size_t size, off_t at, size_t room)
{
    assert_true(size <= room);
    return failing_pread(fd, to, size, at);
}

ssize_t
failing_pwrite(int fd, const void *from, size_t size, off_t at)
{
    return failing_now_of("pwrite", fd) ? -1 : syscall(SYS_pwrite64, fd, from, size, at);
}

ssize_t
failing_writev(int fd, const struct iovec *from, int count)
{
    if (before_writev != NULL)
        before_writev();
    return failing_now_of("writev", fd) ? -1 : syscall(SYS_writev, fd, from, count);
}

#endif
