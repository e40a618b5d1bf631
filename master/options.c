/* options.c -- reads the command line with getopt_long and words its errors, each on one line that
 * names the argument. Runs in the master before it forks. */
#include "master/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/complaint.h"

#define PORT_MAX 65535

static const char short_options[] = ":c:s:tVh";

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
    {"test-config", no_argument, NULL, 't'},  {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

const char *
options_help(void)
{
    return "Usage: mygrpcadapter [OPTION...] [PORT]\n"
           "       mygrpcadapter send [OPTION...]       (see mygrpcadapter send --help)\n"
           "       mygrpcadapter health [OPTION...] [ADDRESS]\n"
           "       mygrpcadapter segments [OPTION...] DIRECTORY\n"
           "       mygrpcadapter status [OPTION...] [DIRECTORY]\n"
           "\n"
           "An out-of-process Istio Mixer adapter: takes metric instances over gRPC and writes "
           "them to files.\n"
           "PORT is the port to listen on; it overrides listen.port.\n"
           "\n"
           "  -c, --config FILE    read FILE instead of /etc/mygrpcadapter.cfg (which may be "
           "missing)\n"
           "  -s, --set KEY=VALUE  override one setting, e.g. --set output.root=/data; repeatable\n"
           "  -t, --test-config    check the configuration, print every setting in effect, exit\n"
           "  -V, --version        print the version, exit\n"
           "  -h, --help           print this, exit\n"
           "\n"
           "Signals: TERM, INT: drain and exit; QUIT: exit at once; HUP: read the configuration "
           "again;\n"
           "USR1: reopen outputs; USR2: go on with the program file that is there now.\n"
           "Exit codes: 0 done, 64 command line, 69 address in use, 70 no worker can serve,\n"
           "73 output.root unusable, 75 volume in use or not all merged, 77 not permitted, 78 "
           "configuration.\n";
}

static int
parse_port(const char *text, int *port_r)
{
    char *end = NULL;
    errno = 0;
    long port = strtol(text, &end, 10);
    /* strtol would take a sign or spaces before the digits. */
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || port > PORT_MAX)
        return -EINVAL;
    *port_r = (int)port;
    return 0;
}

/* The words for what getopt_long refused with '?'; `word` is the argument it was in. */
static int
complain_refused(struct complaint *complaint, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return complain(complaint, EX_USAGE, "unknown option \"-%c\" (see --help)", optopt);
    if (optopt != 0)
        return complain(complaint, EX_USAGE, "option \"%s\" takes no argument", word);
    return complain(complaint, EX_USAGE, "unknown or ambiguous option \"%s\" (see --help)", word);
}

static int
add_set(struct options *options, const char *text, struct complaint *complaint)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return complain(complaint, EX_USAGE, "option --set \"%s\" is not KEY=VALUE", text);
    options->config.sets[options->config.set_count++] = text;
    return 0;
}

static int
take_option(struct options *options, int letter, const char *word, struct complaint *complaint)
{
    switch (letter) {
    case 'c':
        options->config.file = optarg;
        return 0;
    case 's':
        return add_set(options, optarg, complaint);
    case 't':
        options->test_config = true;
        return 0;
    case 'V':
        options->version = true;
        return 0;
    case 'h':
        options->help = true;
        return 0;
    case ':':
        return complain(complaint, EX_USAGE, "option \"%s\" needs an argument", word);
    default:
        return complain_refused(complaint, word);
    }
}

static int
take_port(struct options *options, int argc, char **argv, struct complaint *complaint)
{
    if (optind == argc)
        return 0;
    if (parse_port(argv[optind], &options->config.port) != 0)
        return complain(complaint, EX_USAGE, "PORT \"%s\" is not a number from 0 to %d",
                        argv[optind], PORT_MAX);
    if (optind + 1 < argc)
        return complain(complaint, EX_USAGE, "unexpected argument \"%s\" after PORT",
                        argv[optind + 1]);
    return 0;
}

int
options_parse(struct options *out, int argc, char **argv, struct complaint *complaint)
{
    *out = (struct options){.config.port = CONFIG_NO_PORT};
    out->config.sets = calloc((size_t)argc + 1, sizeof(*out->config.sets));
    if (out->config.sets == NULL)
        return complain(complaint, EX_OSERR, "out of memory");

    /* glibc: start afresh, for a second call in one process. */
    optind = 0;
    /* The words are ours. */
    opterr = 0;
    int result = 0;
    while (result == 0) {
        int at = optind > 0 ? optind : 1;
        /* The master parses its options once, before any thread. */
        int letter = getopt_long(argc, argv, short_options, long_options, NULL);
        if (letter == -1)
            break;
        /* Inside a cluster (-tx) optind stays on the word; after it, the word is the one before. */
        const char *word = argv[optind > at ? optind - 1 : at];
        result = take_option(out, letter, word, complaint);
    }
    if (result == 0)
        result = take_port(out, argc, argv, complaint);
    if (result != 0)
        options_free(out);
    return result;
}

void
options_free(struct options *options)
{
    free(options->config.sets);
    options->config.sets = NULL;
    options->config.set_count = 0;
}
