/* main.c -- the program: a table of contents. Runs in the master, or in one of the commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands/health.h"
#include "commands/segments.h"
#include "commands/send.h"
#include "commands/status.h"
#include "common/log.h"
#include "common/settings.h"
#include "master/config.h"
#include "master/die.h"
#include "master/master.h"
#include "master/options.h"

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

    if (options_parse(&options, argc, argv, &complaint) != 0)
        die(complaint.exit_code, "%s", complaint.text);
    if (options.help || options.version) {
        (void)fputs(options.help ? options_help() : VERSION_LINE, stdout);
        options_free(&options);
        return flush_output();
    }

    bool test_config = options.test_config;
    int result = config_load(&settings, &options, &complaint);
    options_free(&options);
    if (result != 0)
        die(complaint.exit_code, "%s", complaint.text);
    if (test_config) {
        config_print(&settings, stdout);
        config_free(&settings);
        return flush_output();
    }

    int exit_code = master_run(&settings);
    config_free(&settings);
    return exit_code;
}
