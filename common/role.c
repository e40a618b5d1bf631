/* role.c -- what each role is called. Runs in every process. */
#include "common/role.h"

#include "base/invariant.h"

struct description {
    const char *name;
    const char *process_name;
    bool is_numbered;
};

static const struct description descriptions[] = {
#define DESCRIPTION(enumerator, number, word, process, numbered)                                   \
    [number] = {.name = #word, .process_name = (process), .is_numbered = (numbered)},
    ROLE_LIST(DESCRIPTION)
#undef DESCRIPTION
};

_Static_assert(sizeof(descriptions) / sizeof(descriptions[0]) == ROLES, "the numbers begin at 0");

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
