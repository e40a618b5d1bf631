/* rotated_name.h -- which names rotation gives to files: NAME.1, NAME.2, and so on.
 *
 * With rotation no output may have such a name, or be in a directory of one: it would be renamed,
 * written over and deleted as a rotated file of another output. Used by workers and the collector.
 */
#ifndef MYGRPCADAPTER_COMMON_ROTATED_NAME_H
#define MYGRPCADAPTER_COMMON_ROTATED_NAME_H

#include <stdbool.h>

struct settings;

/* Whether output files are rotated at all. */
bool rotated_name_is_in_use(const struct settings *settings);

/* Whether the last component of an output's name is such a name: something, a dot, and a decimal
 * number from 1 without a leading zero. */
bool rotated_name_ends(const char *name);

/* Whether any component of it is. */
bool rotated_name_is_within(const char *name);

#endif
