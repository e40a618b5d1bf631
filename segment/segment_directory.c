/* segment_directory.c -- makes, opens and counts what a segment directory has beside its files.
 * Runs in the collector and in the process of `mygrpcadapter segments`. */
#include "segment/segment_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/descriptors.h"
#include "base/directory.h"

#define DIRECTORY_MODE 0700

int
segment_directory_make(int directory_fd, const char *name)
{
    return mkdirat(directory_fd, name, DIRECTORY_MODE) != 0 && errno != EEXIST ? -errno : 0;
}

int
segment_directory_open(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A directory while its files are counted. */
struct count {
    int fd;
    uint64_t files;
    uint64_t bytes;
};

static int
count_entry(void *context, const struct dirent *entry)
{
    struct count *count = context;
    struct stat status;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
        fstatat(count->fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    count->files++;
    count->bytes += (uint64_t)status.st_size;
    return 0;
}

int
segment_directory_count(int directory_fd, const char *name, uint64_t *files_r, uint64_t *bytes_r)
{
    struct count count = {.fd = segment_directory_open(directory_fd, name)};
    int result = count.fd < 0 ? count.fd : directory_read(count.fd, ".", count_entry, &count);
    descriptor_close(&count.fd);
    *files_r = count.files;
    *bytes_r = count.bytes;
    return result == -ENOENT ? 0 : result;
}
