/* segments_deeds.c -- orders to the collector, and files that are put back. Runs in the process of
 * `mygrpcadapter segments`; collector/set_aside.h has what an order is. */
#include "commands/segments/segments_deeds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rename.h"
#include "segment/aside_store.h"
#include "segment/segment_directory.h"

#define NAME "mygrpcadapter segments"

/* The collector looks once a second. What waits may be gigabytes. */
#define ANSWER_MS 120000
#define LOOK_NS 20000000L

static int
fail(int code, const char *what, int error)
{
    (void)fprintf(stderr, NAME ": %s: %s\n", what, strerror(-error));
    return code;
}

/* Whether a collector runs on the directory: one that can be locked has none. */
static bool
has_collector(int directory_fd)
{
    int fd = openat(directory_fd, SEGMENT_DIRECTORY_COLLECTOR_LOCK,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
    (void)close(fd);
    return locked;
}

/* Makes the order, locked and whole before it has its name. Returns its descriptor or a negative
 * errno. */
static int
give_order(int directory_fd, const char *text)
{
    char new_name[64];
    (void)snprintf(new_name, sizeof(new_name), SEGMENT_DIRECTORY_ORDER ".%ld", (long)getpid());
    (void)unlinkat(directory_fd, new_name, 0);
    int fd = openat(directory_fd, new_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
    struct stat lock;
    if (fstatat(directory_fd, SEGMENT_DIRECTORY_COLLECTOR_LOCK, &lock, AT_SYMLINK_NOFOLLOW) == 0 &&
        lock.st_uid != geteuid()) /* the adapter must read it */
        (void)!fchown(fd, lock.st_uid, lock.st_gid);
    if (result == 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        result = -EIO;
    if (result == 0)
        result = rename_noreplace(directory_fd, new_name, directory_fd, SEGMENT_DIRECTORY_ORDER);
    if (result == 0)
        return fd;
    (void)unlinkat(directory_fd, new_name, 0);
    (void)close(fd);
    return result;
}

/* Waits until the collector has removed the order. False if that takes too long. */
static bool
wait_for_answer(int fd)
{
    struct stat status;
    uint64_t deadline_ms = clock_monotonic_ms() + ANSWER_MS;
    while (fstat(fd, &status) == 0 && status.st_nlink > 0) {
        if (clock_monotonic_ms() >= deadline_ms)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return true;
}

/* Prints the answer that stands behind the order: '+' or '-', and a line. Returns the exit code. */
static int
print_answer(int fd, size_t order_bytes)
{
    char text[512] = "";
    ssize_t got = pread(fd, text, sizeof(text) - 1, (off_t)order_bytes);
    if (got < 2) {
        (void)fprintf(stderr, NAME ": somebody has removed the order\n");
        return EXIT_FAILURE;
    }
    (void)fprintf(text[0] == '+' ? stdout : stderr, "%s%s\n", text[0] == '+' ? "" : NAME ": ",
                  text + 1);
    return text[0] == '+' ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
segments_set_aside(int directory_fd, const char *destination)
{
    if (!has_collector(directory_fd)) {
        (void)fprintf(stderr, NAME ": no adapter runs there: start it, and say it again\n");
        return EX_UNAVAILABLE;
    }
    int fd = give_order(directory_fd, destination);
    if (fd == -EEXIST) {
        (void)fprintf(stderr, NAME ": another order is being carried out\n");
        return EX_TEMPFAIL;
    }
    if (fd < 0)
        return fail(EX_NOINPUT, "the order cannot be given", fd);
    int code = EX_TEMPFAIL;
    if (wait_for_answer(fd))
        code = print_answer(fd, strlen(destination));
    else
        (void)fprintf(stderr, NAME ": the adapter has not answered; what it has set aside is "
                                   "listed, the others still wait\n");
    (void)close(fd);
    return code;
}

int
segments_put_back(int directory_fd, const char *name)
{
    const char *reason = NULL;
    int result = aside_store_put_back(directory_fd, name, &reason);
    if (result == 0) {
        (void)printf("%s: put back; it is merged like any other segment\n", name);
        return EXIT_SUCCESS;
    }
    if (reason != NULL) {
        (void)fprintf(stderr, NAME ": %s: %s\n", name, reason);
        return EXIT_FAILURE;
    }
    return fail(result == -ENOENT ? EX_NOINPUT : EXIT_FAILURE, name, result);
}
