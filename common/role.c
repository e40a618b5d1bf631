/* role.c -- what each role is called. Runs in every process. */
#include "common/role.h"

#include "base/invariant.h"

struct description {
    const char *name;
    const char *process_name;
    bool is_numbered;
};

static const struct description descriptions[] = {
    [ROLE_WORKER] = {.name = "worker", .process_name = "mga-worker", .is_numbered = true},
    [ROLE_COLLECTOR] = {.name = "collector", .process_name = "mga-collector"},
    [ROLE_ADMIN] = {.name = "admin", .process_name = "mga-admin"},
};

_Static_assert(sizeof(descriptions) / sizeof(descriptions[0]) == ROLES, "each role has a name");

const char *
role_name(enum role role)
{
    /* Another process's scoreboard may hold any number. */
    return (unsigned)role < ROLES ? descriptions[role].name : "unknown";
}

const char *
role_process_name(enum role role)
{
    INVARIANT((unsigned)role < ROLES);
    return descriptions[role].process_name;
}

bool
role_is_numbered(enum role role)
{
    INVARIANT((unsigned)role < ROLES);
    return descriptions[role].is_numbered;
}
