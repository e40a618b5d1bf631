/* send_options.h -- what a person asked `mygrpcadapter send` for.
 *
 * Filled once from the command line and read-only from then on: send_request makes the bytes of the
 * call from it, load the number and pace of the calls. Runs in the process of `mygrpcadapter send`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_OPTIONS_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "commands/send/send_value.h"

#define SEND_COUNT_MAX UINT64_C(1000000000000)
#define SEND_CONNECTIONS_MAX 10000
#define SEND_IN_FLIGHT_MAX 10000
#define SEND_CALLS_AT_ONCE_MAX 1000000 /* connections times in-flight */
#define SEND_INSTANCES_MAX 100000
#define SEND_TIMEOUT_MS_MAX 3600000

/* The dimension that --unique adds. */
#define SEND_UNIQUE_KEY "call"

struct send_dimension {
    char *key; /* owned by the options */
    struct send_value value;
};

/* Strings are borrowed from the command line. */
struct send_options {
    bool help;
    const char *address;

    const char *file_path; /* NULL: an adapter_config that says nothing */
    bool no_config;        /* no adapter_config at all */
    const char *name;
    struct send_value value;
    struct send_dimension *dimensions;
    size_t dimension_count;
    uint64_t instances; /* in each call */
    bool unique;
    const char *request_file; /* NULL: the request is built from the fields above */

    uint64_t count; /* of calls */
    uint64_t connections;
    uint64_t in_flight;  /* calls at once on each connection */
    uint64_t timeout_ms; /* of one call */
};

/* Reads the command line; argv[0] is "send", and the strings in argv must outlive the options.
 * Returns 0, or a negative errno and in `error` one line that names the option, its value and what
 * is wrong. The caller owns *options and calls send_options_close() in either case. */
int send_options_parse(struct send_options *options, int argc, char **argv, char *error,
                       size_t error_size);

/* Frees what the options own. They may be closed twice. */
void send_options_close(struct send_options *options);

/* Writes what --help says. */
void send_options_print_help(FILE *out);

#endif
