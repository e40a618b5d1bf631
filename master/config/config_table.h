/* config_table.h -- the rule of each setting: name, kind, default, bounds, meaning, and the
 * field it fills, made of common/settings.def. Used only by the files of master/config/. */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_TABLE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/config/config_validators.h"

/* The rules by name, as CONFIG_RULE_listen_port. */
enum config_rule_index {
#define SETTING_NUMBER(group, member, initial, least, most, about) CONFIG_RULE_##group##_##member,
#define SETTING_TEXT(group, member, initial, shape, about) CONFIG_RULE_##group##_##member,
#define SETTING_CHOICE(group, member, type, initial, names, about) CONFIG_RULE_##group##_##member,
#define SETTING_MODE(group, member, initial, about) CONFIG_RULE_##group##_##member,
#include "common/settings.def"
    CONFIG_RULE_COUNT
};

enum config_kind {
    /* The field is an int64_t. */
    CONFIG_NUMBER,
    /* A char *, judged by a validator. */
    CONFIG_TEXT,
    /* An enum, whose values are the indexes of `choices`. */
    CONFIG_CHOICE,
    /* An int64_t: permission bits, written as a string of octal digits. */
    CONFIG_MODE,
};

struct config_rule {
    /* "group.member" */
    const char *name;
    enum config_kind kind;

    /* CONFIG_TEXT: what it has to be. */
    enum config_shape shape;

    /* Of the field in struct settings. */
    size_t offset;

    /* CONFIG_NUMBER, CONFIG_MODE, and for CONFIG_CHOICE an index of `choices`. */
    int64_t number_default;

    /* CONFIG_NUMBER */
    int64_t number_min;
    int64_t number_max;

    /* CONFIG_TEXT */
    const char *text_default;

    /* CONFIG_CHOICE: the names. */
    const char *const *choices;
    unsigned choice_count;

    /* Unit and meaning. */
    const char *about;
};

extern const struct config_rule config_rules[CONFIG_RULE_COUNT];

/* The rule of that name, or NULL. */
const struct config_rule *config_rule_find(const char *name);

/* True if any setting's name begins with "GROUP.". */
bool config_group_is_known(const char *group);

#endif
