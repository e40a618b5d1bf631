/* settings.h -- the configuration as every process sees it.
 *
 * Filled once by the master (master/config/) before it forks; read-only from then on. A field is
 * named as its setting: listen.port is settings->listen_port. What each means, and what it can be,
 * stands in common/settings.def.
 */
#ifndef MYGRPCADAPTER_COMMON_SETTINGS_H
#define MYGRPCADAPTER_COMMON_SETTINGS_H

#include <stdint.h>

#include "base/log.h"

/* What an answer of OK survives. */
enum durability {
    /* The death of any process: the record is in the page cache. */
    DURABILITY_PROCESS,
    /* The loss of power: the record is on the disk. */
    DURABILITY_MACHINE,
};

#define DURABILITIES (DURABILITY_MACHINE + 1)

/* As the configuration calls them. */
extern const char *const durability_names[DURABILITIES];

/* Numbers and permission bits are int64_t, texts char *, and a choice is its enum. */
struct settings {
#define SETTING_NUMBER(group, member, initial, least, most, about) int64_t group##_##member;
#define SETTING_TEXT(group, member, initial, shape, about) char *group##_##member;
#define SETTING_CHOICE(group, member, type, initial, names, about) type group##_##member;
#define SETTING_MODE(group, member, initial, about) int64_t group##_##member;
#include "common/settings.def"
};

#endif
