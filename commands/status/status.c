/* status.c -- `mygrpcadapter status` from its arguments to its exit code. */
#include "commands/status/status.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "commands/segments/segments_listing.h"
#include "commands/status/status_find.h"
#include "commands/status/status_report.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/config/config.h"
#include "base/complaint.h"
#include "master/options.h"

#define NAME "mygrpcadapter status"
#define INTERVAL_S_DEFAULT 2
#define INTERVAL_S_MAX 86400
#define CLEAR_SCREEN "\033[H\033[2J"

static const char help_text[] =
    "Usage: mygrpcadapter status [OPTION...] [DIRECTORY]\n"
    "Says how a running adapter does. DIRECTORY is its segments.directory, or an output.root with\n"
    ".mygrpcadapter beneath it; by default the configuration says where. It looks at the "
    "adapter's\n"
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
    const char *config_file; /* NULL: the default one */
    const char *directory;   /* NULL: the configuration's */
    int64_t interval_s;      /* 0: once */
    bool help;
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"config", required_argument, NULL, 'c'},
    {"watch", optional_argument, NULL, 'w'},
    {NULL, 0, NULL, 0},
};

static int
misuse(const char *word, const char *what)
{
    (void)fprintf(stderr, NAME ": %s: %s, see " NAME " --help\n", word, what);
    return -EINVAL;
}

static int
parse_interval(const char *text, int64_t *out)
{
    *out = INTERVAL_S_DEFAULT;
    if (text == NULL)
        return 0;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < 1 ||
        number > INTERVAL_S_MAX)
        return misuse(text, "not a number of seconds from 1 to 86400");
    *out = number;
    return 0;
}

static int
parse_options(struct status_options *options, int argc, char **argv)
{
    int found;
    *options = (struct status_options){.directory = NULL};
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
            if (parse_interval(optarg, &options->interval_s) != 0)
                return -EINVAL;
            break;
        case ':':
            return misuse(argv[optind - 1], "needs a value");
        default:
            return misuse(argv[optind - 1], "no such option");
        }
    }
    if (optind + 1 < argc)
        return misuse(argv[optind + 1], "only one DIRECTORY at a time");
    options->directory = argv[optind];
    return 0;
}

/* Opens the segment directory. Returns its descriptor, or less than 0 and the exit code. */
static int
open_directory(const struct status_options *options, int *code_r)
{
    struct settings settings = {.segments_directory = NULL};
    const char *path = options->directory;
    if (path == NULL) {
        const struct options asked = {.config_file = options->config_file, .port = -1};
        struct complaint complaint;
        *code_r = config_load(&settings, &asked, &complaint);
        if (*code_r != 0) {
            (void)fprintf(stderr, NAME ": %s\n", complaint.text);
            return -1;
        }
        path = settings.segments_directory;
    }
    bool beneath;
    int fd = segments_directory_open(path, &beneath);
    if (fd < 0) {
        (void)fprintf(stderr, NAME ": %s: %s\n", path, strerrordesc_np(-fd));
        *code_r = EX_NOINPUT;
    }
    config_free(&settings);
    return fd;
}

static int
complain_unseen(int error, pid_t pid)
{
    if (error == -EACCES || error == -EPERM) {
        (void)fprintf(stderr, NAME ": the adapter with pid %ld may only be looked at by its user\n",
                      (long)pid);
        return EX_NOPERM;
    }
    if (error == -EPROTO)
        (void)fprintf(stderr, NAME ": the adapter with pid %ld is of another version\n", (long)pid);
    else if (error != -ESRCH)
        (void)fprintf(stderr, NAME ": %s\n", strerrordesc_np(-error));
    else if (pid != 0)
        (void)fprintf(stderr,
                      NAME
                      ": no adapter runs there; the last one here, or one in another container, "
                      "had pid %ld\n",
                      (long)pid);
    else
        (void)fprintf(stderr, NAME ": no adapter has run there\n");
    return EX_UNAVAILABLE;
}

/* One look. `before` is the one before it, replaced by this; NULL the first time. */
static int
look(int directory_fd, struct status_look *now, const struct status_look *before, bool clear)
{
    const struct scoreboard *scoreboard = NULL;
    pid_t pid;
    int result = status_find(&scoreboard, directory_fd, &pid);
    if (result != 0)
        return complain_unseen(result, pid);
    status_look_take(now, scoreboard);
    if (clear)
        (void)fputs(CLEAR_SCREEN, stdout);
    status_report_write(stdout, scoreboard, pid, now, before);
    bool serves = scoreboard_serves(scoreboard, scoreboard->facts.worker_count);
    scoreboard_detach(&scoreboard);
    return serves ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
look_on(int directory_fd, int64_t interval_s)
{
    struct status_look looks[2];
    bool terminal = isatty(STDOUT_FILENO) == 1;
    const struct timespec pause = {.tv_sec = interval_s};
    int code = look(directory_fd, &looks[0], NULL, interval_s > 0 && terminal);
    for (unsigned i = 1; interval_s > 0 && code <= EXIT_FAILURE; i++) {
        if (fflush(stdout) != 0)
            break; /* the caller sees it */
        (void)nanosleep(&pause, NULL);
        if (!terminal)
            (void)fputc('\n', stdout);
        code = look(directory_fd, &looks[i % 2], &looks[(i + 1) % 2], terminal);
    }
    return code;
}

int
status_command(int argc, char **argv)
{
    struct status_options options;
    int code = EXIT_SUCCESS;
    if (parse_options(&options, argc, argv) != 0)
        return EX_USAGE;
    if (options.help) {
        (void)fputs(help_text, stdout);
    } else {
        int directory_fd = open_directory(&options, &code);
        if (directory_fd < 0)
            return code;
        code = look_on(directory_fd, options.interval_s);
        (void)close(directory_fd);
    }
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    (void)fprintf(stderr, NAME ": cannot write to standard output: %s\n", strerrordesc_np(errno));
    return EX_IOERR;
}
