/* segments_options.h -- what a person asked `mygrpcadapter segments` for.
 *
 * Filled once from the command line and read-only from then on. Runs in the process of
 * `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_OPTIONS_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct complaint;

struct segments_options {
    const char *directory; /* borrowed from the command line */
    bool help;
    bool dump;
    bool escape;
    bool verify;
    const char *set_aside; /* a destination, as --set-aside has it; NULL = nothing is */
    const char *put_back;  /* a name in aside/; NULL = nothing is */
};

/* Reads the command line; argv[0] is "segments". Returns 0, or EX_USAGE with a complaint about the
 * wrong argument. */
int segments_options_parse(struct segments_options *options, int argc, char **argv,
                           struct complaint *complaint);

/* Writes what --help says. */
void segments_options_print_help(FILE *out);

#endif
