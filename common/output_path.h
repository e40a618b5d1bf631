/* output_path.h -- a client's file_path, and the file beneath output.root it may name.
 *
 * The worker checks a path before it acknowledges a call; the collector opens it, and enforces the
 * same again, since the volume may have changed in between. Both resolve through common/beneath.h:
 * whatever links stand on the volume, nothing outside output.root is reached, and nothing inside
 * the segment directory.
 */
#ifndef MYGRPCADAPTER_COMMON_OUTPUT_PATH_H
#define MYGRPCADAPTER_COMMON_OUTPUT_PATH_H

#include <sys/types.h>

#include "base/bytes.h"

#define OUTPUT_NAME_BYTES_MAX 4096U

/* Turns a path into the name of the output: relative to `root` (absolute, from the configuration),
 * without empty and
 * "." components, so that two spellings of a path are one output. Does not look at the volume.
 * Returns 0 and the NUL-terminated name, or -EINVAL and in *reason_r a literal that says what is
 * wrong with the path. */
int output_path_normalise(char name[static OUTPUT_NAME_BYTES_MAX], struct bytes path,
                          const char *root, const char **reason_r);

/* Whether the collector could append to the file of that name; creates and opens nothing. `root_fd`
 * and `segments_fd` are the directories. Returns 0; -EINVAL if the name is at fault, with a literal
 * in *reason_r; or another negative errno if it cannot be told (-EAGAIN: it is moved about). */
int output_path_check(int root_fd, int segments_fd, const char *name, const char **reason_r);

/* Opens the file for appending, and creates it with `mode`, its directories with the same and
 * search permission, where they are missing. Returns a descriptor, the caller's to close, or a
 * negative errno (-EXDEV: the path leaves the root or enters the segment directory; -EISDIR,
 * -ENXIO: it is no regular file). */
int output_path_open(int root_fd, int segments_fd, const char *name, mode_t mode);

/* Opens the file for writing only if it is there. As output_path_open() otherwise; -ENOENT if it is
 * not there. */
int output_path_open_existing(int root_fd, int segments_fd, const char *name);

/* Opens the file for reading. As output_path_open_existing() otherwise. */
int output_path_open_to_read(int root_fd, int segments_fd, const char *name);

/* Opens the directory that the file is in, for reading. Returns a descriptor, the caller's to
 * close, or a negative errno. */
int output_path_open_directory(int root_fd, const char *name);

/* Waits until the names of the file and of the directories that lead to it are on the disk
 * (base/disk.h). Returns 0, or a negative errno if one of them cannot be opened. */
int output_path_sync_directories(int root_fd, const char *name);

/* The identity of the file a name leads to now. Returns 0 or a negative errno (-ENOENT: none). */
int output_path_identify(int root_fd, const char *name, uint64_t *device_r, uint64_t *inode_r);

/* What an open file or directory beneath the root is called, without links on the way: relative to
 * the root, "" for the root itself. Returns 0 or a negative errno (-EXDEV: it is not in there). */
int output_path_resolve(int root_fd, int fd, char name[static OUTPUT_NAME_BYTES_MAX]);

/* The same for what a name leads to now. Returns 0 or a negative errno (-ENOENT: nothing). */
int output_path_find(int root_fd, const char *name, char real_name[static OUTPUT_NAME_BYTES_MAX]);

#endif
