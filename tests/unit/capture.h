/* capture.h -- what a unit test's subject writes to standard error, its log lines above all. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_CAPTURE_H
#define MYGRPCADAPTER_TESTS_UNIT_CAPTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct capture {
    int saved_fd;
    int memory_fd;
};

/* From now on standard error goes to memory. */
static inline void
capture_begin(struct capture *capture)
{
    (void)fflush(stderr);
    capture->saved_fd = dup(STDERR_FILENO);
    capture->memory_fd = memfd_create("standard-error", MFD_CLOEXEC);
    assert_true(capture->saved_fd >= 0 && capture->memory_fd >= 0);
    assert_int_equal(dup2(capture->memory_fd, STDERR_FILENO), STDERR_FILENO);
}

/* Standard error is what it was. Returns what came meanwhile; the caller frees. */
static inline char *
capture_end(struct capture *capture)
{
    struct stat status;
    (void)fflush(stderr);
    assert_int_equal(dup2(capture->saved_fd, STDERR_FILENO), STDERR_FILENO);
    (void)close(capture->saved_fd);
    assert_int_equal(fstat(capture->memory_fd, &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    assert_non_null(text);
    assert_int_equal(pread(capture->memory_fd, text, (size_t)status.st_size, 0), status.st_size);
    (void)close(capture->memory_fd);
    return text;
}

/* Fails unless `text` holds `part`. */
static inline void
capture_expect(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

#endif
