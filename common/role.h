/* role.h -- what a child of the master is. Used by every process. */
#ifndef MYGRPCADAPTER_COMMON_ROLE_H
#define MYGRPCADAPTER_COMMON_ROLE_H

#include <stdbool.h>

/* ROLE(name, number, word, process_name, numbered): every role, a row each. The numbers cross an
 * execution in place (master/takeover/handover.h): they do not change. `word` is what people call
 * it, and names what others make of the list: worker_main(). The process's name has 15 characters
 * at most. `numbered`: there are several of them, and each is named with its slot. */
#define ROLE_LIST(ROLE)                                                                            \
    ROLE(WORKER, 0, worker, "mga-worker", true)                                                    \
    ROLE(COLLECTOR, 1, collector, "mga-collector", false)                                          \
    ROLE(ADMIN, 2, admin, "mga-admin", false)

/* clang-format off */
enum role {
#define ROLE_ENUMERATOR(name, number, ...) ROLE_##name = (number),
    ROLE_LIST(ROLE_ENUMERATOR)
#undef ROLE_ENUMERATOR
    /* How many there are. */
    ROLES,
};
/* clang-format on */

/* What the role is called in log lines, in `mygrpcadapter status` and in metrics; "unknown" for a
 * number that is no role. */
const char *role_name(enum role role);

/* The name of a process in that role, as ps and top show it: at most 15 characters. */
const char *role_process_name(enum role role);

/* True if there are several processes in that role, so that each is named with its slot. */
bool role_is_numbered(enum role role);

#endif
