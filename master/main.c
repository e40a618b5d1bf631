/* main.c -- the program: a table of contents. Runs in the master, or in one of the commands. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/log.h"
#include "commands/health.h"
#include "commands/segments/segments.h"
#include "commands/send/send.h"
#include "commands/status/status.h"
#include "common/settings.h"
#include "master/config/config.h"
#include "master/die.h"
#include "master/master.h"
#include "master/options.h"
#include "master/process_limits.h"
#include "master/takeover/handover.h"
#include "master/validators.h"

#define VERSION_LINE "mygrpcadapter " MYGRPCADAPTER_VERSION "\n"

/* What a first argument of that name runs instead of an adapter; options_help() names them too. */
static const struct command {
    const char *name;

    /* Is given the arguments from its name on. Returns the exit code. */
    int (*run)(int argc, char **argv);
} commands[] = {
    {"send", send_command},
    {"health", health_command},
    {"segments", segments_command},
    {"status", status_command},
};

/* The command that the arguments begin with, or NULL. */
static const struct command *
find_command(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return &commands[i];
    }
    return NULL;
}

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

/* The settings in effect; for a program that takes over, those that were checked before it. */
static int
load_settings(struct settings *settings, const struct options *options,
              const struct handover *handover, struct complaint *complaint)
{
    char path[HANDOVER_SETTINGS_PATH_BYTES];
    const struct config_sources checked = {.file = path, .port = CONFIG_NO_PORT};
    if (handover == NULL || options->test_config)
        return config_load(settings, &options->config, &master_validators, complaint);
    handover_settings_path(handover, path);
    return config_load(settings, &checked, &master_validators, complaint);
}

/* For -t: prints the settings. A program that an earlier one has started, to see whether it
 * could take over, tells that one instead. */
static int
test_settings(const struct handover *handover, const struct settings *settings,
              struct complaint *complaint)
{
    if (process_limits_check(settings, complaint) != 0)
        return complaint->exit_code;
    if (handover == NULL) {
        config_print(settings, stdout);
        return 0;
    }
    if (handover_check_settings(handover, settings, complaint) != 0)
        return complaint->exit_code;
    return handover_accept(handover, settings, complaint);
}

/* Serves, or does what the options ask for instead. Returns the exit code. */
static int
run(int argc, char **argv)
{
    struct complaint complaint;
    struct options options;
    struct settings settings;
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
        if (test_settings(handover, &settings, &complaint) != 0)
            die(complaint.exit_code, "%s", complaint.text);
        handover_free(&handover);
        config_free(&settings);
        return flush_output();
    }

    int exit_code = master_run(&settings, handover, argv);
    config_free(&settings);
    return exit_code;
}

int
main(int argc, char **argv)
{
    open_standard_descriptors();
    /* A file at the limit on its size (RLIMIT_FSIZE) is an error of the call that writes, EFBIG. */
    (void)signal(SIGXFSZ, SIG_IGN);
    log_open();
    log_open_outlet();
    const struct command *command = find_command(argc, argv);
    return command != NULL ? command->run(argc - 1, argv + 1) : run(argc, argv);
}
