/* main.c -- the program: a table of contents. Runs in the master, or in one of the commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands/health.h"
#include "commands/segments/segments.h"
#include "commands/send/send.h"
#include "commands/status/status.h"
#include "base/log.h"
#include "common/settings.h"
#include "master/config/config.h"
#include "base/complaint.h"
#include "master/die.h"
#include "master/takeover/handover.h"
#include "master/master.h"
#include "master/options.h"
#include "master/validators.h"

#define VERSION_LINE "mygrpcadapter " MYGRPCADAPTER_VERSION "\n"

/* A descriptor below 3 that is closed would be given to the next file opened, and then be printed
 * into. */
static void
open_standard_descriptors(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO) {
        if (fcntl(fd, F_GETFD) >= 0)
            fd++;
        else
            fd = open("/dev/null", O_RDWR);
    }
}

/* For what is printed instead of serving: 0 if it could be. */
static int
flush_output(void)
{
    if (fflush(stdout) != 0)
        die(EX_IOERR, "cannot write to standard output: %s", strerrordesc_np(errno));
    return 0;
}

/* The settings in effect; for a program that takes over, those that its rehearsal found. */
static int
load_settings(struct settings *settings, const struct options *options,
              const struct handover *handover, struct complaint *complaint)
{
    char path[HANDOVER_SETTINGS_PATH_BYTES];
    const struct config_sources rehearsed = {.file = path, .port = CONFIG_NO_PORT};
    if (handover == NULL || options->test_config)
        return config_load(settings, &options->config, &master_validators, complaint);
    handover_settings_path(handover, path);
    return config_load(settings, &rehearsed, &master_validators, complaint);
}

/* Says whether this program could take over from the one that has started it. */
static int
rehearse(const struct handover *handover, const struct settings *settings,
         struct complaint *complaint)
{
    int result = handover_check_settings(handover, settings, complaint);
    return result == 0 ? handover_accept(handover, settings, complaint) : result;
}

int
main(int argc, char **argv)
{
    struct complaint complaint;
    struct options options;
    struct settings settings;

    open_standard_descriptors();
    log_open();
    if (argc > 1 && strcmp(argv[1], "send") == 0)
        return send_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "health") == 0)
        return health_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "segments") == 0)
        return segments_command(argc - 1, argv + 1);

    if (argc > 1 && strcmp(argv[1], "status") == 0)
        return status_command(argc - 1, argv + 1);

    struct handover *handover;
    if (handover_receive(&handover, &complaint) != 0 ||
        options_parse(&options, argc, argv, &complaint) != 0)
        die(complaint.exit_code, "%s", complaint.text);
    if (options.help || options.version) {
        (void)fputs(options.help ? options_help() : VERSION_LINE, stdout);
        options_free(&options);
        return flush_output();
    }

    bool test_config = options.test_config;
    if (load_settings(&settings, &options, handover, &complaint) != 0)
        die(complaint.exit_code, "%s", complaint.text);
    options_free(&options);
    if (test_config) {
        if (handover != NULL && rehearse(handover, &settings, &complaint) != 0)
            die(complaint.exit_code, "%s", complaint.text);
        if (handover == NULL)
            config_print(&settings, stdout);
        handover_free(&handover);
        config_free(&settings);
        return flush_output();
    }

    int exit_code = master_run(&settings, handover, argv);
    config_free(&settings);
    return exit_code;
}
