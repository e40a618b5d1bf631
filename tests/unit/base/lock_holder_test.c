/* lock_holder_test.c -- who has a file locked is read from /proc/locks, and nobody else is
 * taken for it. */
#include "tests/unit/scratch.h"

#include <sys/file.h>
#include <sys/sysmacros.h>

#include "base/lock_holder.h"

static long
find_in(const char *text, const struct stat *status)
{
    char copy[1024];
    (void)snprintf(copy, sizeof(copy), "%s", text);
    FILE *locks = fmemopen(copy, strlen(copy), "r");
    assert_non_null(locks);
    long pid = lock_holder_read(locks, status);
    (void)fclose(locks);
    return pid;
}

static void
test_the_holder_is_found_in_a_list_of_locks(void **state)
{
    (void)state;
    struct stat status = {.st_dev = makedev(0xfe, 0x10), .st_ino = 77};
    assert_int_equal(find_in("1: FLOCK  ADVISORY  WRITE 12 fe:10:77 0 EOF\n", &status), 12);
    assert_int_equal(find_in("1: POSIX  ADVISORY  WRITE 11 fe:10:77 0 EOF\n"
                             "2: FLOCK  ADVISORY  WRITE 13 fe:10:778 0 EOF\n"
                             "3: FLOCK  ADVISORY  WRITE 14 fe:11:77 0 EOF\n"
                             "4: -> FLOCK  ADVISORY  WRITE 15 fe:10:77 0 EOF\n"
                             "5: FLOCK  ADVISORY  READ 16 fe:10:77 0 EOF\n",
                             &status),
                     16);
    assert_int_equal(find_in("1: FLOCK\n\n2: FLOCK ADVISORY\n3:\nFLOCK a b c d e f\n", &status), 0);
}

static void
test_the_holder_of_a_file(void **state)
{
    struct scratch *scratch = *state;
    struct stat status;
    scratch_put(scratch, "file", "", 0);
    int fd = openat(scratch->fd, "file", O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &status), 0);
    if (lock_holder_find(&status) == LOCK_HOLDER_UNKNOWN) {
        (void)close(fd);
        skip();
    }
    assert_int_equal(lock_holder_find(&status), 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    /* A file system may hide its own device behind another: then nobody is found, and never
     * somebody else. */
    long pid = lock_holder_find(&status);
    assert_true(pid == getpid() || pid == 0);
    (void)close(fd);
    assert_int_equal(lock_holder_find(&status), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_holder_is_found_in_a_list_of_locks),
        cmocka_unit_test_setup_teardown(test_the_holder_of_a_file, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
