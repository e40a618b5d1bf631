/* directory_test.c -- a directory is read whole, from its beginning, until somebody stops it. */
#include "tests/unit/scratch.h"

#include <dirent.h>

#include "base/directory.h"

#define FILES 300

static int
count_files(void *context, const struct dirent *entry)
{
    size_t *count = context;
    if (entry->d_name[0] == 'f')
        (*count)++;
    return 0;
}

static int
stop_at_file(void *context, const struct dirent *entry)
{
    (void)context;
    return entry->d_name[0] == 'f' ? -EPROTO : 0;
}

static void
test_reads_all_from_the_beginning(void **state)
{
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "f%d", i);
        int fd = openat(scratch.fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    for (int round = 0; round < 2; round++) {
        size_t count = 0;
        assert_int_equal(directory_read(scratch.fd, ".", count_files, &count), 0);
        assert_int_equal(count, FILES);
    }
    assert_int_equal(directory_read(scratch.fd, ".", stop_at_file, NULL), -EPROTO);
    assert_int_equal(directory_read(scratch.fd, "missing", count_files, NULL), -ENOENT);
    assert_int_equal(directory_read(scratch.fd, "f0", count_files, NULL), -ENOTDIR);
    assert_int_equal(symlinkat(".", scratch.fd, "link"), 0);
    assert_int_equal(directory_read(scratch.fd, "link", count_files, NULL), -ENOTDIR);
    scratch_close(&scratch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all_from_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
