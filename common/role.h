/* role.h -- what a child of the master is. Used by every process. */
#ifndef MYGRPCADAPTER_COMMON_ROLE_H
#define MYGRPCADAPTER_COMMON_ROLE_H

#include <stdbool.h>

/* The numbers cross an execution in place (master/takeover/handover.h): they do not change. */
enum role {
    ROLE_WORKER = 0,
    ROLE_COLLECTOR = 1,
    ROLE_ADMIN = 2,
    /* How many there are. */
    ROLES,
};

/* What the role is called in log lines, in `mygrpcadapter status` and in metrics; "unknown" for a
 * number that is no role. */
const char *role_name(enum role role);

/* The name of a process in that role, as ps and top show it: at most 15 characters. */
const char *role_process_name(enum role role);

/* True if there are several processes in that role, so that each is named with its slot. */
bool role_is_numbered(enum role role);

#endif
