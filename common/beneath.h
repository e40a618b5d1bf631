/* beneath.h -- opens files beneath a directory, whatever links stand on the volume.
 *
 * openat2(2) with RESOLVE_BENEATH does it where the kernel has it. Where it does not (before 5.6,
 * gVisor, a seccomp filter), and where it refuses, the name is followed here, one component after
 * the other, without following links: a link is read, and its text takes its place. "..", and what
 * somebody moves meanwhile, never leads above the root. A link with an absolute text is followed if
 * the text begins with the root's own path. Used by the master, workers and the collector.
 */
#ifndef MYGRPCADAPTER_COMMON_BENEATH_H
#define MYGRPCADAPTER_COMMON_BENEATH_H

#include <sys/types.h>

/* Notes the path that absolute links may begin with, as the configuration has it and without links,
 * and whether the kernel lets this process call openat2(2), asked with the open root. For the
 * master, before it forks. Returns 0, or the negative errno of openat2(2) if there is none to be
 * had. */
int beneath_prepare(const char *root, int root_fd);

/* Opens a name relative to the directory. `flags` and `mode` as for openat(2); O_CLOEXEC is added.
 * Returns a descriptor, the caller's to close, or a negative errno (-EXDEV: it leads out of the
 * root; -EAGAIN: something on the way was moved each time it was looked at). */
int beneath_open(int root_fd, const char *name, int flags, mode_t mode);

/* Climbs from an open directory to the root. Returns 0, -EXDEV if the directory `avoided_fd` (-1 =
 * none) is on the way, -EAGAIN if the root is not: it was moved out; or another negative errno. */
int beneath_climb(int root_fd, int avoided_fd, int directory_fd);

#endif
