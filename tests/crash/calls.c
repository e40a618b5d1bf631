/* calls.c -- the wrappers themselves; calls.h. */
#include "tests/crash/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "segment/ledger_format.h"
#include "segment/segment_name.h"
#include "tests/crash/disk.h"

static struct calls_plan plan;
static struct disk *told;
static uint64_t count;
static const char *hit;
static void (*stranger)(void *context);
static void *stranger_context;
static bool bare;
static uint64_t outputs_room = UINT64_MAX;
static uint64_t names_to_miss;
static uint64_t barred_until; /* this call */
static uint64_t bars;
static bool has_clocks;
static int64_t machine_ahead_s;
static int64_t server_ahead_s;

extern int __real_clock_gettime(clockid_t clock, struct timespec *now);

const char *
calls_plan_name(enum calls_plan_kind kind)
{
    static const char *const names[] = {
        [CALLS_PASS] = "pass",
        [CALLS_FAIL_ONCE] = "fail once",
        [CALLS_FAIL_FROM] = "fail for good",
        [CALLS_SHORT_ONCE] = "write half once",
        [CALLS_DIE] = "die before",
        [CALLS_DIE_WITHIN] = "die within",
        [CALLS_LOSE_POWER] = "lose power before",
    };
    return names[kind];
}

void
calls_begin(const struct calls_plan *new_plan, struct disk *disk,
            void (*new_stranger)(void *context), void *new_context)
{
    plan = *new_plan;
    told = disk;
    stranger = new_stranger;
    stranger_context = new_context;
    count = 0;
    hit = NULL;
}

void
calls_lack_what_is_new(void)
{
    bare = true;
}

void
calls_limit_outputs(uint64_t bytes)
{
    outputs_room = bytes;
}

void
calls_miss_name(uint64_t names)
{
    names_to_miss = names;
}

void
calls_bar_names(uint64_t calls, uint64_t new_bars)
{
    barred_until = count + calls;
    bars = new_bars;
}

void
calls_set_clocks(int64_t machine_s, int64_t server_s)
{
    has_clocks = true;
    machine_ahead_s = machine_s;
    server_ahead_s = machine_s + server_s;
}

/* How many of so many bytes the outputs take. */
static size_t
take_room(size_t size)
{
    size_t taken = size < outputs_room ? size : (size_t)outputs_room;
    if (outputs_room != UINT64_MAX)
        outputs_room -= taken;
    return taken;
}

uint64_t
calls_count(void)
{
    return count;
}

const char *
calls_hit(void)
{
    return hit;
}

static void
note_hit(const char *name)
{
    if (hit == NULL)
        hit = name;
}

/* The process is gone; what it wrote is in the kernel's memory. */
_Noreturn static void
die(void)
{
    if (told != NULL)
        disk_keep(told);
    _exit(CALLS_EXIT_DIED);
}

/* Counts a call. True if it is to fail; errno is set then. Does not return where the plan ends the
 * process. */
static bool
refused(const char *name)
{
    count++;
    if (count == plan.stranger_at) {
        int error = errno;
        stranger(stranger_context);
        errno = error;
    }
    if (plan.kind == CALLS_DIE && count == plan.at)
        die();
    if (plan.kind == CALLS_LOSE_POWER && count == plan.at) {
        disk_lose_power(told);
        _exit(CALLS_EXIT_POWER);
    }
    if (count == plan.error_at) {
        errno = plan.error;
        return true;
    }
    if ((plan.kind == CALLS_FAIL_ONCE && count == plan.at) ||
        (plan.kind == CALLS_FAIL_FROM && count >= plan.at)) {
        note_hit(name);
        errno = plan.error;
        return true;
    }
    return false;
}

/* Whether that is the name of a segment with records. */
static bool
is_segment(const char *name)
{
    struct segment_identity identity;
    enum segment_state state;
    return segment_name_parse(name, &identity, &state) && state != SEGMENT_STATE_NEW;
}

/* The same for a call that needs the file of that name. Both names of a segment are barred, or
 * neither. */
static bool
barred(const char *name)
{
    uint64_t sum = bars;
    if (count >= barred_until || !(is_segment(name) || ledger_name_is(name)))
        return false;
    for (size_t i = 0; name[i] != '\0' && name[i] != '.'; i++)
        sum += (unsigned char)name[i];
    if (sum % 2 != 0)
        return false;
    errno = bars % 3 == 0 ? EPERM : EACCES;
    return true;
}

/* The same for a call that writes `size` bytes: how many it is to write. */
static size_t
allowed_bytes(const char *name, size_t size)
{
    bool halves = plan.kind == CALLS_SHORT_ONCE || plan.kind == CALLS_DIE_WITHIN;
    if (!halves || count < plan.at || hit != NULL || size < 2)
        return size;
    note_hit(name);
    return size / 2;
}

/* After a write: the process is gone if it was to die in it. */
static void
written(void)
{
    if (plan.kind == CALLS_DIE_WITHIN && hit != NULL)
        die();
}

/* Gives the file that was written the time of its server. */
static void
stamp(int fd)
{
    struct timespec times[2];
    (void)__real_clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec += server_ahead_s;
    times[1] = times[0];
    if (futimens(fd, times) != 0)
        abort();
}

static void
tell_written(int fd, off_t at, ssize_t result)
{
    int error = errno;
    if (has_clocks)
        stamp(fd);
    if (result > 0 && told != NULL)
        disk_note_write(told, fd, (uint64_t)at, (uint64_t)result);
    errno = error;
}

static void
tell_changed(int result)
{
    int error = errno;
    if (result >= 0 && told != NULL)
        disk_note_changes(told);
    errno = error;
}

/* ---- the wrappers: __wrap_NAME is what the code under test calls as NAME */

#define REAL(type, name, ...) extern type __real_##name(__VA_ARGS__);
#define WRAP(type, name, ...)                                                                      \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

REAL(int, openat, int fd, const char *path, int flags, ...)
WRAP(int, openat, int fd, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (refused("openat") || ((flags & O_CREAT) == 0 && barred(path)))
        return -1;
    int result = __real_openat(fd, path, flags, mode);
    if ((flags & O_CREAT) != 0)
        tell_changed(result);
    return result;
}

/* Of the calls made by number the code knows only openat2(2). */
REAL(long, syscall, long number, ...)
WRAP(long, syscall, long number, ...)
{
    va_list rest;
    va_start(rest, number);
    int fd = va_arg(rest, int);
    const char *path = va_arg(rest, const char *);
    void *how = va_arg(rest, void *);
    size_t size = va_arg(rest, size_t);
    va_end(rest);
    if (number != SYS_openat2)
        abort();
    if (refused("openat2"))
        return -1;
    if (bare) {
        errno = ENOSYS;
        return -1;
    }
    long result = __real_syscall(number, fd, path, how, size);
    tell_changed((int)result);
    return result;
}

REAL(int, mkdir, const char *path, mode_t mode)
WRAP(int, mkdir, const char *path, mode_t mode)
{
    if (refused("mkdir"))
        return -1;
    int result = __real_mkdir(path, mode);
    tell_changed(result);
    return result;
}

REAL(int, mkdirat, int fd, const char *path, mode_t mode)
WRAP(int, mkdirat, int fd, const char *path, mode_t mode)
{
    if (refused("mkdirat"))
        return -1;
    int result = __real_mkdirat(fd, path, mode);
    tell_changed(result);
    return result;
}

REAL(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
WRAP(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
{
    if (refused("renameat") || barred(from))
        return -1;
    int result = __real_renameat(from_fd, from, to_fd, to);
    tell_changed(result);
    return result;
}

REAL(int, renameat2, int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
WRAP(int, renameat2, int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (refused("renameat2") || barred(from))
        return -1;
    if (bare && flags != 0) {
        errno = EINVAL;
        return -1;
    }
    int result = __real_renameat2(from_fd, from, to_fd, to, flags);
    tell_changed(result);
    return result;
}

REAL(int, unlinkat, int fd, const char *path, int flags)
WRAP(int, unlinkat, int fd, const char *path, int flags)
{
    if (refused("unlinkat") || barred(path))
        return -1;
    int result = __real_unlinkat(fd, path, flags);
    tell_changed(result);
    return result;
}

REAL(ssize_t, pwrite, int fd, const void *from, size_t size, off_t at)
WRAP(ssize_t, pwrite, int fd, const void *from, size_t size, off_t at)
{
    if (refused("pwrite"))
        return -1;
    ssize_t result = __real_pwrite(fd, from, allowed_bytes("pwrite", size), at);
    tell_written(fd, at, result);
    written();
    return result;
}

REAL(ssize_t, writev, int fd, const struct iovec *list, int entries)
WRAP(ssize_t, writev, int fd, const struct iovec *list, int entries)
{
    if (fd <= STDERR_FILENO)
        return __real_writev(fd, list, entries);
    if (refused("writev"))
        return -1;
    size_t size = 0;
    for (int i = 0; i < entries; i++)
        size += list[i].iov_len;
    size_t allowed = take_room(allowed_bytes("writev", size));
    if (allowed == 0 && size > 0) {
        errno = ENOSPC;
        return -1;
    }
    off_t at = lseek(fd, 0, SEEK_END);
    if (allowed == size) {
        ssize_t all = __real_writev(fd, list, entries);
        tell_written(fd, at, all);
        return all;
    }
    ssize_t result = 0;
    for (int i = 0; i < entries && (size_t)result < allowed; i++) {
        size_t left = allowed - (size_t)result;
        struct iovec part = {list[i].iov_base, list[i].iov_len < left ? list[i].iov_len : left};
        ssize_t got = __real_writev(fd, &part, 1);
        if (got < 0)
            return -1;
        result += got;
    }
    tell_written(fd, at, result);
    written();
    return result;
}

REAL(int, ftruncate, int fd, off_t size)
WRAP(int, ftruncate, int fd, off_t size)
{
    return refused("ftruncate") ? -1 : __real_ftruncate(fd, size);
}

REAL(int, fallocate, int fd, int mode, off_t at, off_t size)
WRAP(int, fallocate, int fd, int mode, off_t at, off_t size)
{
    if (refused("fallocate"))
        return -1;
    if (bare) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_fallocate(fd, mode, at, size);
}

/* A sync reaches only the disk of the test: the real one would cost time and prove nothing. */
static int
sync_disk(const char *name, int fd)
{
    bool fails = refused(name);
    int error = errno;
    if (told != NULL && fails) {
        disk_note_failed_sync(told, fd);
        disk_keep(told); /* the process ends of it, without a further word */
    } else if (told != NULL)
        disk_note_sync(told, fd);
    errno = error;
    return fails ? -1 : 0;
}

WRAP(int, fsync, int fd)
{
    return sync_disk("fsync", fd);
}

WRAP(int, fdatasync, int fd)
{
    return sync_disk("fdatasync", fd);
}

REAL(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset)
WRAP(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && refused("mmap"))
        return MAP_FAILED;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

REAL(int, fcntl, int fd, int command, ...)
WRAP(int, fcntl, int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return refused("fcntl") ? -1 : __real_fcntl(fd, command, argument);
}

/* Memory: whatever error the plan has, there is none. */
REAL(void *, malloc, size_t size)
WRAP(void *, malloc, size_t size)
{
    return refused("malloc") ? NULL : __real_malloc(size);
}

REAL(void *, calloc, size_t count_of, size_t size)
WRAP(void *, calloc, size_t count_of, size_t size)
{
    return refused("calloc") ? NULL : __real_calloc(count_of, size);
}

REAL(void *, realloc, void *memory, size_t size)
WRAP(void *, realloc, void *memory, size_t size)
{
    return refused("realloc") ? NULL : __real_realloc(memory, size);
}

REAL(int, flock, int fd, int operation)
WRAP(int, flock, int fd, int operation)
{
    return refused("flock") ? -1 : __real_flock(fd, operation);
}

REAL(int, fstat, int fd, struct stat *status)
WRAP(int, fstat, int fd, struct stat *status)
{
    return refused("fstat") ? -1 : __real_fstat(fd, status);
}

REAL(int, fstatat, int fd, const char *path, struct stat *status, int flags)
WRAP(int, fstatat, int fd, const char *path, struct stat *status, int flags)
{
    return refused("fstatat") ? -1 : __real_fstatat(fd, path, status, flags);
}

REAL(int, fstatvfs, int fd, struct statvfs *status)
WRAP(int, fstatvfs, int fd, struct statvfs *status)
{
    return refused("fstatvfs") ? -1 : __real_fstatvfs(fd, status);
}

REAL(int, faccessat, int fd, const char *path, int mode, int flags)
WRAP(int, faccessat, int fd, const char *path, int mode, int flags)
{
    return refused("faccessat") ? -1 : __real_faccessat(fd, path, mode, flags);
}

REAL(ssize_t, pread, int fd, void *to, size_t size, off_t at)
WRAP(ssize_t, pread, int fd, void *to, size_t size, off_t at)
{
    return refused("pread") ? -1 : __real_pread(fd, to, size, at);
}

REAL(DIR *, fdopendir, int fd)
WRAP(DIR *, fdopendir, int fd)
{
    return refused("fdopendir") ? NULL : __real_fdopendir(fd);
}

REAL(struct dirent *, readdir, DIR *directory)
WRAP(struct dirent *, readdir, DIR *directory)
{
    if (refused("readdir"))
        return NULL;
    struct dirent *entry = __real_readdir(directory);
    if (entry != NULL && names_to_miss > 0 && is_segment(entry->d_name) && --names_to_miss == 0)
        return __real_readdir(directory);
    return entry;
}

REAL(int, open, const char *path, int flags, ...)
WRAP(int, open, const char *path, int flags, ...)
{
    if ((flags & O_CREAT) != 0)
        abort(); /* the code under test creates beneath directories only */
    return refused("open") ? -1 : __real_open(path, flags);
}

REAL(ssize_t, readlink, const char *path, char *to, size_t size)
WRAP(ssize_t, readlink, const char *path, char *to, size_t size)
{
    return refused("readlink") ? -1 : __real_readlink(path, to, size);
}

REAL(ssize_t, readlinkat, int fd, const char *path, char *to, size_t size)
WRAP(ssize_t, readlinkat, int fd, const char *path, char *to, size_t size)
{
    return refused("readlinkat") ? -1 : __real_readlinkat(fd, path, to, size);
}

REAL(ssize_t, getrandom, void *to, size_t size, unsigned flags)
WRAP(ssize_t, getrandom, void *to, size_t size, unsigned flags)
{
    return refused("getrandom") ? -1 : __real_getrandom(to, size, flags);
}

/* Cannot fail, and is not counted. */
WRAP(int, clock_gettime, clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += machine_ahead_s;
    return result;
}
