/* config_private.h -- the configuration in the making: what config.c and config_file.c share. */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_PRIVATE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_PRIVATE_H

#include "common/settings.h"
#include "master/config/config_table.h"

struct config {
    struct settings settings;
    /* Where the value of each rule was given, as a complaint begins: "/etc/x.cfg:12: listen.port";
     * NULL = default. */
    char *places[CONFIG_RULE_COUNT];
};

/* Notes where the value of `rule` was given; takes ownership of `place` (from malloc). */
void config_note_place(struct config *config, const struct config_rule *rule, char *place);

#endif
