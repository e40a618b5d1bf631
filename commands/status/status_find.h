/* status_find.h -- finds the scoreboard of the adapter that has a segment directory. Runs in the
 * process of `mygrpcadapter status`. */
#ifndef MYGRPCADAPTER_COMMANDS_STATUS_STATUS_FIND_H
#define MYGRPCADAPTER_COMMANDS_STATUS_STATUS_FIND_H

#include <sys/types.h>

struct scoreboard;

/* Maps the scoreboard of the adapter that holds the lock of the segment directory `directory_fd`.
 * Returns 0 with the scoreboard in *out, which the caller owns: scoreboard_detach(). Else a
 * negative errno: -ESRCH: no adapter runs there, as far as can be seen from here; -EACCES: it may
 * not be looked at; -EPROTO: it is of another version of the program. In either case *pid_r is the
 * pid that the lock names, its master's; 0 if it names none. */
int status_find(const struct scoreboard **out, int directory_fd, pid_t *pid_r);

/* The same for an adapter whose configured segment directory is `path`, or lies in it, wherever
 * that path leads now: another file system may be mounted over it, or it may have been renamed.
 * Only processes that see the same mounts are believed. -ESRCH if there is none. */
int status_find_by_path(const struct scoreboard **out, const char *path, pid_t *pid_r);

#endif
