/* send_options.h -- what a person asked `mygrpcadapter send` for.
 *
 * Filled once from the command line and read-only from then on: send_request makes the bytes of a
 * call from it, send_load takes the number and the pace of the calls from it. Runs in the process
 * of `mygrpcadapter send`.
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

struct complaint;

struct send_dimension {
    /* The options own it. */
    char *key;
    struct send_value value;
};

/* Strings are borrowed from the command line. */
struct send_options {
    bool help;
    const char *address;

    /* What is in the request. NULL in file_path: an adapter_config without one. */
    const char *file_path;
    /* No adapter_config at all. */
    bool no_config;
    const char *name;
    struct send_value value;
    struct send_dimension *dimensions;
    size_t dimension_count;
    size_t dimension_capacity;
    /* In each call. */
    uint64_t instances;
    bool unique;
    /* The file whose bytes are the request; NULL: it is made from the fields above. */
    const char *request_file;

    /* Of calls, in all. */
    uint64_t count;
    uint64_t connections;
    /* Calls at once on each connection. */
    uint64_t in_flight;
    /* Of one call. */
    uint64_t timeout_ms;
};

/* Reads the command line; argv[0] is "send", and the strings in argv must outlive the options.
 * Returns 0, or the exit code EX_USAGE or EX_OSERR with *complaint filled: it names the option, its
 * value and what is wrong. The caller owns *options and calls send_options_close() in either
 * case. */
int send_options_parse(struct send_options *options, int argc, char **argv,
                       struct complaint *complaint);

/* Frees what the options own. They may be closed twice. */
void send_options_close(struct send_options *options);

/* Writes what --help says. */
void send_options_print_help(FILE *out);

#endif
