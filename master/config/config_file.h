/* config_file.h -- one libconfig file, read into a draft setting by setting.
 *
 * Knows the syntax and where each setting stands; what a value may be is for the draft to say.
 * Used only by master/config/config.c.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_FILE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_FILE_H

#include <stdbool.h>

struct complaint;
struct config_draft;

/* Reads `path` and stores every setting it holds in *draft. A file that does not exist is an
 * error unless `optional`. Relative @include paths are relative to the file's directory.
 * Returns 0, or fills *complaint and returns EX_CONFIG (EX_OSERR without memory). */
int config_file_read(struct config_draft *draft, const char *path, bool optional,
                     struct complaint *complaint);

#endif
