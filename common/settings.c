/* settings.c -- the names of what can be chosen. Used by every process. */
#include "common/settings.h"

const char *const durability_names[DURABILITIES] = {
    [DURABILITY_PROCESS] = "process",
    [DURABILITY_MACHINE] = "machine",
};
