/* config_value.h -- one value of one setting: checked against its rule, stored in struct settings,
 * printed. Used only by the files of master/config/. */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_VALUE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_VALUE_H

#include <stdint.h>
#include <stdio.h>

struct complaint;
struct config_rule;
struct settings;

/* In what form a value was given. */
enum config_form {
    /* An integer of a file. */
    CONFIG_FORM_NUMBER,
    /* A string of a file. */
    CONFIG_FORM_STRING,
    /* A word of the command line: the rule decides what it means. */
    CONFIG_FORM_WORD,
    /* Whatever else a file can hold; no setting takes it. */
    CONFIG_FORM_OTHER,
};

/* A value as it was given; the string is borrowed, and NULL where there is none. */
struct config_given {
    enum config_form form;
    int64_t number;
    const char *string;
};

/* Checks the value against bounds, choices and kind (a text's shape is checked by
 * config_draft.c), and stores it. A string is copied; the old value is freed. `place` is where
 * the value was given, as it begins a complaint: "/etc/x.cfg:12: listen.port" or "--set
 * listen.port=x". Returns 0, or fills *complaint and returns EX_CONFIG (EX_OSERR without
 * memory). */
int config_value_set(struct settings *settings, const struct config_rule *rule,
                     const struct config_given *given, const char *place,
                     struct complaint *complaint);

/* Stores the default. Returns 0, or fills *complaint and returns EX_OSERR. */
int config_value_set_default(struct settings *settings, const struct config_rule *rule,
                             struct complaint *complaint);

/* Frees what the setting holds, and clears it. */
void config_value_clear(struct settings *settings, const struct config_rule *rule);

/* Writes the value as libconfig reads it, without name or semicolon. */
void config_value_print(const struct settings *settings, const struct config_rule *rule,
                        FILE *stream);

#endif
