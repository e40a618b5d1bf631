/* config.h -- the configuration: defaults, then the file, then the command line, checked and
 * printed.
 *
 * Every value passes the same rules (config_table.h), wherever it comes from. Used by the master
 * before it forks, and by `mygrpcadapter status`.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdio.h>

struct complaint;
struct config_validators;
struct settings;

#define CONFIG_DEFAULT_FILE "/etc/mygrpcadapter.cfg"

/* The value of `port` where none was given. */
#define CONFIG_NO_PORT (-1)

/* Where values come from beside the defaults. All strings are borrowed. */
struct config_sources {
    /* The file, which must exist; NULL = CONFIG_DEFAULT_FILE, which may. */
    const char *file;

    /* What overrides it: each "KEY=VALUE" with a KEY that is not empty, in order. */
    const char **sets;
    size_t set_count;

    /* What overrides listen.port after all these, 0 to 65535, or CONFIG_NO_PORT. */
    int port;
};

/* Fills *out with the configuration in effect; what no source names is default. On success
 * returns 0 and the caller owns the strings in *out until config_free(); else fills *complaint,
 * returns its exit code (EX_CONFIG; EX_OSERR without memory), and nothing needs freeing. */
int config_load(struct settings *out, const struct config_sources *sources,
                const struct config_validators *validators, struct complaint *complaint);

/* Prints every setting with its value, as a file that config_load() reads. */
void config_print(const struct settings *settings, FILE *stream);

/* Frees the strings of *settings and zeroes it; safe on a zeroed struct. */
void config_free(struct settings *settings);

#endif
