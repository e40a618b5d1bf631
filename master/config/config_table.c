/* config_table.c -- what becomes of the rows of common/settings.def here: the rules. Runs in
 * the master before it forks. */
#include "master/config/config_table.h"

#include <string.h>

#include "common/settings.h"
#include "segment/segment_directory.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define HOUR_MS INT64_C(3600000)
#define DAY_S INT64_C(86400)

/* A default must be a value that could be given, and a choice is stored as unsigned
 * (config_value.c). */
#define SETTING_NUMBER(group, member, initial, least, most, about)                                 \
    _Static_assert((least) <= (initial) && (initial) <= (most), #group "." #member);
#define SETTING_CHOICE(group, member, type, initial, names, about)                                 \
    _Static_assert(sizeof(type) == sizeof(unsigned), #group "." #member);
#define SETTING_MODE(group, member, initial, about)                                                \
    _Static_assert(((initial) & ~0177) == 0600, #group "." #member);
#include "common/settings.def"

#define NAMED(group, member)                                                                       \
    .name = #group "." #member, .offset = offsetof(struct settings, group##_##member)

#define SETTING_NUMBER(group, member, initial, least, most, text)                                  \
    [CONFIG_RULE_##group##_##member] = {                                                           \
        NAMED(group, member),  .kind = CONFIG_NUMBER, .number_default = (initial),                 \
        .number_min = (least), .number_max = (most),  .about = (text),                             \
    },
#define SETTING_TEXT(group, member, initial, form, text)                                           \
    [CONFIG_RULE_##group##_##member] = {                                                           \
        NAMED(group, member),         .kind = CONFIG_TEXT, .text_default = (initial),              \
        .shape = CONFIG_SHAPE_##form, .about = (text),                                             \
    },
#define SETTING_CHOICE(group, member, type, initial, names, text)                                  \
    [CONFIG_RULE_##group##_##member] = {                                                           \
        NAMED(group, member),                                                                      \
        .kind = CONFIG_CHOICE,                                                                     \
        .number_default = (initial),                                                               \
        .choices = (names),                                                                        \
        .choice_count = sizeof(names) / sizeof((names)[0]),                                        \
        .about = (text),                                                                           \
    },
#define SETTING_MODE(group, member, initial, text)                                                 \
    [CONFIG_RULE_##group##_##member] = {                                                           \
        NAMED(group, member),                                                                      \
        .kind = CONFIG_MODE,                                                                       \
        .number_default = (initial),                                                               \
        .about = (text),                                                                           \
    },

const struct config_rule config_rules[CONFIG_RULE_COUNT] = {
#include "common/settings.def"
};

const struct config_rule *
config_rule_find(const char *name)
{
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        if (strcmp(config_rules[i].name, name) == 0)
            return &config_rules[i];
    }
    return NULL;
}

bool
config_group_is_known(const char *group)
{
    size_t length = strlen(group);
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        const char *name = config_rules[i].name;
        if (strncmp(name, group, length) == 0 && name[length] == '.')
            return true;
    }
    return false;
}
