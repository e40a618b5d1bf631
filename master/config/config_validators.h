/* config_validators.h -- who says whether a text can be the value of a setting. Used by the master
 * and the commands, before they do anything else.
 *
 * What an address is, is known to those who listen at it, and these rooms are not the
 * configuration's to look into: config_load() is given their judgement.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_VALIDATORS_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_VALIDATORS_H

/* What a text has to be; each setting that is a text names one. */
enum config_shape {
    CONFIG_SHAPE_ADDRESS,
    CONFIG_SHAPE_PATH,
    CONFIG_SHAPE_PATH_OR_EMPTY,
    CONFIG_SHAPE_ADMIN_ADDRESS,
};

#define CONFIG_SHAPES (CONFIG_SHAPE_ADMIN_ADDRESS + 1)

struct config_validators {
    /* For each shape: why `text` has not got it, as the end of a sentence, or NULL if it has. */
    const char *(*refusal[CONFIG_SHAPES])(const char *text);
};

#endif
