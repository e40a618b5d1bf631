/* config_draft.h -- the configuration in the making: the settings so far, and where each was
 * given. Used by config.c and config_file.c, in the master before it forks. */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_DRAFT_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_DRAFT_H

#include <stdbool.h>

#include "common/settings.h"
#include "master/config/config_table.h"

struct complaint;
struct config_given;
struct config_validators;

struct config_draft {
    struct settings settings;

    /* Who judges addresses and paths; borrowed. */
    const struct config_validators *validators;

    /* For each rule, where its value was given, as a complaint begins: "/etc/x.cfg:12:
     * listen.port". Owned; NULL where the value is the default. */
    char *places[CONFIG_RULE_COUNT];
};

/* Begins a draft with every setting at its default. Returns 0, or fills *complaint and returns
 * EX_OSERR; either way the caller ends it with config_draft_end(). */
int config_draft_begin(struct config_draft *draft, const struct config_validators *validators,
                       struct complaint *complaint);

/* Checks one value and stores it, in place of the one before. `name` is "group.member". Takes
 * ownership of `place` (from malloc), where the value was given. Returns 0, or fills *complaint
 * and returns EX_CONFIG (EX_OSERR without memory). */
int config_draft_set(struct config_draft *draft, const char *name, const struct config_given *given,
                     char *place, struct complaint *complaint);

/* Whether the setting was given at all. */
bool config_draft_is_given(const struct config_draft *draft, enum config_rule_index index);

/* Where the setting got its value, or its name if that is the default; owned by the draft. */
const char *config_draft_place(const struct config_draft *draft, enum config_rule_index index);

/* Frees the places, and keeps the settings, whose strings are the caller's from here on. */
void config_draft_end(struct config_draft *draft);

#endif
