/* scratch.h -- a temporary directory for one unit test, and small files in it. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_SCRATCH_H
#define MYGRPCADAPTER_TESTS_UNIT_SCRATCH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char path[64];
    int fd;
};

static inline int
scratch_remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void
scratch_open(struct scratch *scratch)
{
    (void)strcpy(scratch->path, "/tmp/mygrpcadapter-test-XXXXXX");
    assert_non_null(mkdtemp(scratch->path));
    scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scratch->fd >= 0);
}

static inline void
scratch_close(struct scratch *scratch)
{
    (void)close(scratch->fd);
    assert_int_equal(nftw(scratch->path, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The two as a fixture of cmocka's: *state is the struct scratch. */
static inline int
scratch_setup(void **state)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));
    assert_non_null(scratch);
    scratch_open(scratch);
    *state = scratch;
    return 0;
}

static inline int
scratch_teardown(void **state)
{
    scratch_close(*state);
    free(*state);
    return 0;
}

/* Writes a file whole. */
static inline void
scratch_put(const struct scratch *scratch, const char *name, const void *data, size_t size)
{
    int fd = openat(scratch->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    (void)close(fd);
}

/* Reads a file whole, NUL-terminated; the caller frees. NULL if it is not there. */
static inline char *
scratch_get(const struct scratch *scratch, const char *name, size_t *size_r)
{
    struct stat status;
    int fd = openat(scratch->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    assert_int_equal(fstat(fd, &status), 0);
    char *data = calloc(1, (size_t)status.st_size + 1);
    assert_non_null(data);
    assert_int_equal(read(fd, data, (size_t)status.st_size), status.st_size);
    (void)close(fd);
    if (size_r != NULL)
        *size_r = (size_t)status.st_size;
    return data;
}

static inline bool
scratch_has(const struct scratch *scratch, const char *name)
{
    struct stat status;
    return fstatat(scratch->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void
scratch_expect(const struct scratch *scratch, const char *name, const char *text)
{
    char *data = scratch_get(scratch, name, NULL);
    assert_non_null(data);
    assert_string_equal(data, text);
    free(data);
}

#endif
