/* config.h -- the configuration: defaults, then the file, then the command line, checked and
 * printed.
 *
 * Every value passes the same table (config_table.c), wherever it comes from. Used by the master
 * before it forks.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_H

#include <stdio.h>

struct complaint;
struct options;
struct settings;

#define CONFIG_DEFAULT_FILE "/etc/mygrpcadapter.cfg"

/* Fills *out with the configuration in effect under these options: what --set and PORT do not name
 * comes from the file (options->config_file, which must exist, or CONFIG_DEFAULT_FILE, which may),
 * the rest is default. On success returns 0 and the caller owns the strings in *out until
 * config_free(); else fills *complaint, returns its exit code (EX_CONFIG; EX_OSERR without memory),
 * and nothing needs freeing. */
int config_load(struct settings *out, const struct options *options, struct complaint *complaint);

/* Prints every setting with its value, as a file that config_load() reads. */
void config_print(const struct settings *settings, FILE *stream);

/* Frees the strings of *settings and zeroes it; safe on a zeroed struct. */
void config_free(struct settings *settings);

#endif
