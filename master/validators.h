/* validators.h -- what the addresses and paths among the settings must look like, for
 * config_load(). Used by the master before it forks, and by the commands. */
#ifndef MYGRPCADAPTER_MASTER_VALIDATORS_H
#define MYGRPCADAPTER_MASTER_VALIDATORS_H

#include "master/config/config_validators.h"

extern const struct config_validators master_validators;

#endif
