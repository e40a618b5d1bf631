/* config_table.h -- the table of all settings: name, kind, default, bounds, text, and the field it
 * fills.
 *
 * A new setting is one row here, one field in common/settings.h and one paragraph in
 * etc/mygrpcadapter.cfg. Used only by the files of master/config*.c.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_TABLE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_NUMBER, /* int64_t */
    CONFIG_TEXT,   /* char *, checked by `refusal` */
    CONFIG_CHOICE, /* an enum of base/log.h: the index in `choices` */
    CONFIG_MODE,   /* int64_t; permission bits, written as a string of octal digits */
};

struct config_rule {
    const char *name; /* "group.member" */
    enum config_kind kind;
    size_t offset; /* of the field in struct settings */
    int64_t number_default;
    int64_t number_min;
    int64_t number_max;
    const char *text_default;
    const char *const *choices; /* CONFIG_CHOICE: the names, closed by NULL */
    /* CONFIG_TEXT: why `value` cannot be, as the end of a sentence, or NULL if it can. */
    const char *(*refusal)(const char *value);
    const char *about; /* unit and meaning */
};

#define CONFIG_RULE_COUNT 24

extern const struct config_rule config_rules[CONFIG_RULE_COUNT];

/* The rule of that name, or NULL. */
const struct config_rule *config_rule_find(const char *name);

#endif
