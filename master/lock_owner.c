/* lock_owner.c -- reads /proc/locks. Runs in the master. */
#include "master/lock_owner.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* One line: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; `file` is " 08:01:5678 ",
 * hexadecimal but for the inode. */
static pid_t
owner_in_line(const char *line, const char *file)
{
    const char *at = strstr(line, file);
    if (at == NULL || strstr(line, ": FLOCK ") == NULL)
        return 0;
    while (at > line && isdigit((unsigned char)at[-1]))
        at--;
    return (pid_t)strtol(at, NULL, 10);
}

pid_t
lock_owner_find(int fd)
{
    struct stat status;
    char file[64];
    char *line = NULL;
    size_t size = 0;
    pid_t owner = 0;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return 0;
    if (fstat(fd, &status) == 0) {
        (void)snprintf(file, sizeof(file), " %02x:%02x:%llu ", major(status.st_dev),
                       minor(status.st_dev), (unsigned long long)status.st_ino);
        while (owner == 0 && getline(&line, &size, locks) >= 0)
            owner = owner_in_line(line, file);
    }
    free(line);
    (void)fclose(locks);
    return owner;
}
