/* config_value.h -- one value of one setting: checked against its rule, stored in struct settings,
 * printed.
 *
 * `place` in these functions is where the value was given, as it begins a complaint:
 * "/etc/x.cfg:12: listen.port" or
 * "--set listen.port=x". Used only by the files of master/config*.c.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_VALUE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_VALUE_H

#include <stdint.h>
#include <stdio.h>

struct complaint;
struct config_rule;
struct settings;

/* Store a number or a string as it stands in a file: a number for CONFIG_NUMBER, a string for all
 * other kinds (anything else is a wrong type). Strings are copied; the old value is freed. Return
 * 0, or fill *complaint and return EX_CONFIG (EX_OSERR without memory). */
int config_value_set_number(struct settings *settings, const struct config_rule *rule,
                            int64_t number, const char *place, struct complaint *complaint);
int config_value_set_string(struct settings *settings, const struct config_rule *rule,
                            const char *string, const char *place, struct complaint *complaint);

/* Stores what a command line gives: the rule decides what `text` means. Otherwise as above. */
int config_value_set_text(struct settings *settings, const struct config_rule *rule,
                          const char *text, const char *place, struct complaint *complaint);

/* The complaint about a value of a kind the rule does not take. Returns EX_CONFIG. */
int config_value_wrong_type(const struct config_rule *rule, const char *place,
                            struct complaint *complaint);

/* Sets the default, which is always valid. Returns 0 or EX_OSERR. */
int config_value_set_default(struct settings *settings, const struct config_rule *rule,
                             struct complaint *complaint);

/* Frees what the setting holds, and clears it. */
void config_value_clear(struct settings *settings, const struct config_rule *rule);

/* Writes the value as libconfig reads it, without name or semicolon. */
void config_value_print(const struct settings *settings, const struct config_rule *rule,
                        FILE *stream);

#endif
