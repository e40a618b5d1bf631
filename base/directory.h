/* directory.h -- reading a directory. Used by every process. */
#ifndef MYGRPCADAPTER_BASE_DIRECTORY_H
#define MYGRPCADAPTER_BASE_DIRECTORY_H

struct dirent;

/* Is shown each entry, "." and ".." among them. 0: go on; anything else ends the reading. */
typedef int (*directory_visit)(void *context, const struct dirent *entry);

/* Reads the directory that `path` leads to from `directory_fd` ("." is that one itself; no link
 * is followed), in whatever order. It is opened anew, since the position in a directory belongs
 * to the open file, which forked processes share. Names that come or go meanwhile may be seen
 * or not. Returns 0 when all entries have been seen, what `visit` ended it with, or a negative
 * errno. */
int directory_read(int directory_fd, const char *path, directory_visit visit, void *context);

#endif
