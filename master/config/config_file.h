/* config_file.h -- one libconfig file, handed out setting by setting.
 *
 * Knows the syntax and where each setting stands, refuses what is not in the table, and leaves
 * storing to its caller. Used only by master/config/config.c.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_FILE_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_FILE_H

#include <stdbool.h>

struct complaint;
struct config;

/* Reads `path` and stores every setting it holds in *config (config_private.h). A file that does
 * not exist is an error unless `optional`. Relative @include paths are relative to the file's
 * directory. Returns 0, or fills *complaint and returns EX_CONFIG. */
int config_file_read(struct config *config, const char *path, bool optional,
                     struct complaint *complaint);

#endif
