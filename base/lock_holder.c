/* lock_holder.c -- reads /proc/locks. Runs in the master and in the process of
 * `mygrpcadapter segments`. */
#include "base/lock_holder.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The next word of a line: NUL-terminates it, and moves *at behind it. NULL at the end. */
static char *
next_word(char **at)
{
    return strtok_r(NULL, " \t\n", at);
}

/* Whether MAJOR:MINOR:INODE, the first two in hexadecimal, is that file. */
static bool
is_file(const char *place, const struct stat *status)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "%02x:%02x:%" PRIu64, major(status->st_dev),
                   minor(status->st_dev), (uint64_t)status->st_ino);
    return strcmp(place, wanted) == 0;
}

/* A line is "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF". One that waits for the lock has
 * "->" for its second word, and is not meant. Returns the pid, 0 if it is about something else. */
static long
holder_in_line(char *line, const struct stat *status)
{
    char *at = NULL;
    if (strtok_r(line, " \t\n", &at) == NULL)
        return 0;
    const char *type = next_word(&at);
    if (type == NULL || strcmp(type, "FLOCK") != 0 || next_word(&at) == NULL ||
        next_word(&at) == NULL)
        return 0;
    const char *pid = next_word(&at);
    const char *place = pid == NULL ? NULL : next_word(&at);
    if (place == NULL || !is_file(place, status))
        return 0;
    return strtol(pid, NULL, 10);
}

long
lock_holder_read(FILE *locks, const struct stat *status)
{
    char *line = NULL;
    size_t capacity = 0;
    long pid = 0;
    while (pid <= 0 && getline(&line, &capacity, locks) > 0)
        pid = holder_in_line(line, status);
    free(line);
    return pid > 0 ? pid : 0;
}

long
lock_holder_find(const struct stat *status)
{
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return LOCK_HOLDER_UNKNOWN;
    long pid = lock_holder_read(locks, status);
    (void)fclose(locks);
    return pid;
}
