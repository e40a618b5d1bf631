/* status.c -- `mygrpcadapter status` from its arguments to its exit code: status_find has the
 * memory of the adapter, status_report says what is in it. Runs in a process of its own. */
#include "commands/status/status.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/complaint.h"
#include "commands/number.h"
#include "commands/segments/segments_listing.h"
#include "commands/standard_output.h"
#include "commands/status/status_find.h"
#include "commands/status/status_report.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/config/config.h"
#include "master/validators.h"
#include "segment/segment_directory.h"

#define NAME "mygrpcadapter status"
#define INTERVAL_S_DEFAULT UINT64_C(2)
#define INTERVAL_S_MAX UINT64_C(86400)
#define SEE_HELP "see " NAME " --help"
#define CLEAR_SCREEN "\033[H\033[2J"

static const char help_text[] =
    "Usage: mygrpcadapter status [OPTION...] [DIRECTORY]\n"
    "Says how a running adapter does. DIRECTORY is its segments.directory, or an output.root "
    "with\n" SEGMENT_DIRECTORY_NAME
    " beneath it; by default the configuration says where. It looks at the adapter's\n"
    "memory: nobody has to answer. Only the adapter's user, or root, may look.\n"
    "\n"
    "  -c, --config FILE      read FILE instead of /etc/mygrpcadapter.cfg (which may be missing)\n"
    "  -w, --watch[=SECONDS]  again and again, every 2 seconds by default, with rates\n"
    "\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 calls are taken, 1 they are not, 64 wrong arguments, 66 DIRECTORY cannot be "
    "read,\n"
    "69 no adapter runs there, 77 not permitted, 78 the configuration is wrong.\n";

struct status_options {
    /* NULL: the default one. */
    const char *config_file;
    /* NULL: the configuration's. */
    const char *directory;
    /* 0: look once. */
    uint64_t interval_s;
    bool help;
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"config", required_argument, NULL, 'c'},
    {"watch", optional_argument, NULL, 'w'},
    {NULL, 0, NULL, 0},
};

/* Returns 0, or EX_USAGE with *complaint filled. */
static int
parse_options(struct status_options *options, int argc, char **argv, struct complaint *complaint)
{
    int found;
    *options = (struct status_options){.directory = NULL};
    optind = 0; /* makes glibc start afresh */
    opterr = 0;
    while ((found = getopt_long(argc, argv, ":hc:w", long_options, NULL)) != -1) {
        switch (found) {
        case 'h':
            options->help = true;
            return 0;
        case 'c':
            options->config_file = optarg;
            break;
        case 'w':
            options->interval_s = INTERVAL_S_DEFAULT;
            if (optarg != NULL && number_parse(&options->interval_s, optarg, INTERVAL_S_MAX) != 0)
                return complain(complaint, EX_USAGE,
                                "--watch=%s: not a whole number of seconds from 1 to %" PRIu64,
                                optarg, INTERVAL_S_MAX);
            break;
        case ':':
            return complain(complaint, EX_USAGE, "%s: needs a value", argv[optind - 1]);
        default:
            return complain(complaint, EX_USAGE, "%s: no such option, " SEE_HELP, argv[optind - 1]);
        }
    }
    if (optind + 1 < argc)
        return complain(complaint, EX_USAGE, "%s: only one DIRECTORY at a time", argv[optind + 1]);
    options->directory = argv[optind];
    return 0;
}

/* The segment directory that is asked about. */
struct place {
    char path[PATH_MAX];

    /* A descriptor, or a negative errno if it cannot be opened. */
    int fd;
};

/* Finds out which directory is meant, and opens it: 0, or an exit code with *complaint filled. */
static int
find_place(const struct status_options *options, struct place *place, struct complaint *complaint)
{
    struct settings settings = {.segments_directory = NULL};
    const char *path = options->directory;
    bool beneath;
    if (path == NULL) {
        const struct config_sources asked = {.file = options->config_file, .port = CONFIG_NO_PORT};
        int code = config_load(&settings, &asked, &master_validators, complaint);
        if (code != 0)
            return code;
        path = settings.segments_directory;
    }
    (void)snprintf(place->path, sizeof(place->path), "%s", path);
    place->fd = segments_directory_open(path, &beneath);
    config_free(&settings);
    return 0;
}

/* Says why no adapter was found; returns the exit code. `pid` is the one in the lock, 0 if none
 * is. */
static int
complain_unseen(const struct place *place, int error, pid_t pid, struct complaint *complaint)
{
    if (place->fd < 0)
        return complain(complaint, EX_NOINPUT, "%s: %s", place->path, strerrordesc_np(-place->fd));
    switch (error) {
    case -EACCES:
    case -EPERM:
        return complain(complaint, EX_NOPERM,
                        "the adapter with pid %ld may only be looked at by its user, or by root",
                        (long)pid);
    case -EPROTO:
        return complain(complaint, EX_UNAVAILABLE,
                        "the adapter with pid %ld is of another version than this program",
                        (long)pid);
    case -ESRCH:
        if (pid == 0)
            return complain(complaint, EX_UNAVAILABLE, "no adapter has run there");
        return complain(
            complaint, EX_UNAVAILABLE,
            "no adapter runs there: pid %ld, which the lock names, has ended, or belongs "
            "to another container",
            (long)pid);
    default:
        return complain(complaint, EX_UNAVAILABLE, "%s", strerrordesc_np(-error));
    }
}

/* Looks once, and writes the report; returns the exit code. `before` is the look before it, for the
 * rates; NULL the first time. */
static int
look(const struct place *place, struct status_look *now, const struct status_look *before,
     bool clear)
{
    const struct scoreboard *scoreboard = NULL;
    pid_t pid = 0;
    int result = place->fd < 0 ? -ESRCH : status_find(&scoreboard, place->fd, &pid);
    /* The path may lead elsewhere since the adapter started. */
    if (result == -ESRCH && status_find_by_path(&scoreboard, place->path, &pid) == 0)
        result = 0;
    if (result != 0) {
        struct complaint complaint;
        (void)complain_unseen(place, result, pid, &complaint);
        (void)fprintf(stderr, NAME ": %s\n", complaint.text);
        return complaint.exit_code;
    }
    status_look_take(now, scoreboard);
    if (clear)
        (void)fputs(CLEAR_SCREEN, stdout);
    status_report_write(stdout, scoreboard, pid, now, before);
    bool serves = scoreboard_serves(scoreboard, scoreboard->facts.worker_count);
    scoreboard_detach(&scoreboard);
    return serves ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Looks once, or again and again while an adapter is there. Two looks are kept in turns. */
static int
look_on(const struct place *place, uint64_t interval_s)
{
    struct status_look looks[2];
    bool terminal = isatty(STDOUT_FILENO) == 1;
    const struct timespec pause = {.tv_sec = (time_t)interval_s};
    int code = look(place, &looks[0], NULL, interval_s > 0 && terminal);
    for (unsigned i = 1; interval_s > 0 && code <= EXIT_FAILURE; i++) {
        if (fflush(stdout) != 0)
            break; /* status_command() says so */
        (void)nanosleep(&pause, NULL);
        if (!terminal)
            (void)fputc('\n', stdout);
        code = look(place, &looks[i % 2], &looks[(i + 1) % 2], terminal);
    }
    return code;
}

static int
report_status(const struct status_options *options)
{
    struct complaint complaint;
    struct place place = {.fd = -ENOENT};
    int code = find_place(options, &place, &complaint);
    if (code != 0) {
        (void)fprintf(stderr, NAME ": %s\n", complaint.text);
        return code;
    }
    code = look_on(&place, options->interval_s);
    if (place.fd >= 0)
        (void)close(place.fd);
    return code;
}

int
status_command(int argc, char **argv)
{
    struct status_options options;
    struct complaint complaint;
    int code = parse_options(&options, argc, argv, &complaint);
    if (code != 0) {
        (void)fprintf(stderr, NAME ": %s\n", complaint.text);
        return code;
    }
    if (options.help)
        (void)fputs(help_text, stdout);
    else
        code = report_status(&options);
    return standard_output_end(NAME, code);
}
