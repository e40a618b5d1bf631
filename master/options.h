/* options.h -- the command line: `mygrpcadapter [OPTION...] [PORT]`.
 *
 * Knows which options there are, not what a setting means: --set and PORT are handed on as they
 * are. Used by the master before it forks.
 */
#ifndef MYGRPCADAPTER_MASTER_OPTIONS_H
#define MYGRPCADAPTER_MASTER_OPTIONS_H

#include <stdbool.h>

#include "master/config/config.h"

struct complaint;

/* The strings are borrowed from argv. */
struct options {
    /* -c, --set and PORT; its array is owned. */
    struct config_sources config;

    bool test_config;
    bool version;
    bool help;
};

/* Reads argv (which getopt may reorder). On success returns 0 and the caller owns *out until
 * options_free(); else fills *complaint, returns EX_USAGE, and nothing needs freeing. */
int options_parse(struct options *out, int argc, char **argv, struct complaint *complaint);

/* Frees what options_parse() allocated; safe on a zeroed struct. */
void options_free(struct options *options);

/* The text of --help, with its last newline. */
const char *options_help(void);

#endif
