/* send.c -- `mygrpcadapter send` from its arguments to its exit code.
 *
 * A process of its own, started by a person. The steps are files of this folder:
 *
 *     send_options                reads the flags; send_value and send_time read the values in them
 *     send_request                has the bytes of the calls, made by one of:
 *       send_request_from_options     what the flags say (send_instance: one instance of it)
 *       send_request_from_file        --request FILE
 *     send_load                   makes the calls; latency keeps how long they took
 *     send_report                 says what became of them
 *
 * SIGINT and SIGTERM end the sending, not the summary; a second one ends the process.
 */
#include "commands/send/send.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <grpc/grpc.h>
#include <grpc/status.h>

#include "base/complaint.h"
#include "commands/channel.h"
#include "commands/send/send_load.h"
#include "commands/send/send_options.h"
#include "commands/send/send_report.h"
#include "commands/send/send_request.h"
#include "commands/standard_output.h"

#define NAME "mygrpcadapter send"

static volatile sig_atomic_t stop_requested;

static void
request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

static void
catch_signals(void)
{
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static int
exit_code(const struct send_load_tally *tally)
{
    if (tally->by_status[GRPC_STATUS_OK] == tally->answered)
        return EXIT_SUCCESS;
    if (tally->by_status[GRPC_STATUS_UNAVAILABLE] == tally->answered)
        return EX_UNAVAILABLE;
    return EXIT_FAILURE;
}

static int
send_calls(const struct send_options *options, const struct send_request *request)
{
    catch_signals();
    channel_set_up_grpc();

    const struct send_load_plan plan = {
        .address = options->address,
        .request = request,
        .count = options->count,
        .connections = (uint32_t)options->connections,
        .in_flight = (uint32_t)options->in_flight,
        .timeout_ms = (uint32_t)options->timeout_ms,
        .stop = &stop_requested,
        .progress = send_report_progress,
    };
    static struct send_load_tally tally; /* too large for a stack */
    int error = send_load_run(&plan, &tally);
    grpc_shutdown();
    send_report_end_progress();
    if (error != 0) {
        (void)fprintf(stderr, NAME ": %s\n", strerror(-error));
        return EX_OSERR;
    }
    send_report_print(stdout, &tally, request->instance_count);
    return exit_code(&tally);
}

static int
open_request(struct send_request **out, const struct send_options *options)
{
    int error = send_request_open(out, options);
    if (error != 0 && options->request_file != NULL)
        (void)fprintf(stderr, NAME ": --request %s: %s\n", options->request_file, strerror(-error));
    else if (error != 0)
        (void)fprintf(stderr, NAME ": %s\n", strerror(-error));
    return error;
}

int
send_command(int argc, char **argv)
{
    struct send_options options;
    struct send_request *request = NULL;
    struct complaint complaint;
    int code = send_options_parse(&options, argc, argv, &complaint);
    if (code != 0) {
        (void)fprintf(stderr, NAME ": %s\n", complaint.text);
    } else if (options.help) {
        send_options_print_help(stdout);
    } else if (open_request(&request, &options) == 0) {
        code = send_calls(&options, request);
    } else {
        code = EX_USAGE;
    }
    code = standard_output_end(NAME, code);
    send_request_close(&request);
    send_options_close(&options);
    return code;
}
