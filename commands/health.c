/* health.c -- `mygrpcadapter health` from its arguments to its exit code: one call of Check. Runs
 * in a process of its own. */
#include "commands/health.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include "health.pb-c.h"

#include "base/bytes.h"
#include "base/complaint.h"
#include "base/invariant.h"
#include "base/quote.h"
#include "commands/channel.h"
#include "commands/number.h"
#include "commands/standard_output.h"

#define NAME "mygrpcadapter health"
#define METHOD "/grpc.health.v1.Health/Check"
#define TIMEOUT_MS_DEFAULT 2000
#define TIMEOUT_MS_MAX UINT64_C(600000)
#define SEE_HELP "see " NAME " --help"

static const char help_text[] =
    "Usage: mygrpcadapter health [OPTION...] [ADDRESS]\n"
    "Asks an adapter whether it serves (grpc.health.v1.Health/Check), and prints what it "
    "answered.\n"
    "ADDRESS is HOST:PORT or unix:///PATH, localhost:8000 by default.\n"
    "\n"
    "  --service NAME   what is asked about: \"\" (default) or metric.HandleMetricService, whether "
    "calls\n"
    "                   are taken; liveness, whether somebody answers\n"
    "  --timeout-ms N   how long to wait (default 2000)\n"
    "\n"
    "  -h, --help       this text\n"
    "\n"
    "Exit status: 0 SERVING, 1 another answer, 64 wrong arguments, 69 no answer.\n";

struct health_options {
    const char *address;
    const char *service;
    uint64_t timeout_ms;
    bool help;
};

struct health_answer {
    grpc_status_code status;
    grpc_slice details;
    grpc_byte_buffer *message;
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"service", required_argument, NULL, 's'},
    {"timeout-ms", required_argument, NULL, 't'},
    {NULL, 0, NULL, 0},
};

/* Returns 0, or EX_USAGE with *complaint filled. */
static int
parse_options(struct health_options *options, int argc, char **argv, struct complaint *complaint)
{
    *options = (struct health_options){
        .address = "localhost:8000", .service = "", .timeout_ms = TIMEOUT_MS_DEFAULT};
    int found;
    optind = 0; /* makes glibc start afresh */
    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        switch (found) {
        case 'h':
            options->help = true;
            return 0;
        case 's':
            options->service = optarg;
            break;
        case 't':
            if (number_parse(&options->timeout_ms, optarg, TIMEOUT_MS_MAX) != 0)
                return complain(complaint, EX_USAGE,
                                "--timeout-ms %s: not a whole number from 1 to %" PRIu64, optarg,
                                TIMEOUT_MS_MAX);
            break;
        case ':':
            return complain(complaint, EX_USAGE, "%s: needs a value", argv[optind - 1]);
        default:
            return complain(complaint, EX_USAGE, "%s: no such option, " SEE_HELP, argv[optind - 1]);
        }
    }
    if (optind + 1 < argc)
        return complain(complaint, EX_USAGE, "%s: only one ADDRESS at a time", argv[optind + 1]);
    if (optind < argc)
        options->address = argv[optind];
    return options->address[0] != '\0' ? 0 : complain(complaint, EX_USAGE, "ADDRESS is empty");
}

/* The request; the caller owns it. */
static grpc_byte_buffer *
make_request(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = bytes_unconst(service); /* protobuf-c knows no const */
    grpc_slice slice =
        grpc_slice_malloc(grpc__health__v1__health_check_request__get_packed_size(&request));
    (void)grpc__health__v1__health_check_request__pack(&request, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

/* Makes the call's one batch of operations and waits until it has ended. */
static void
await_answer(grpc_call *call, grpc_completion_queue *queue, grpc_byte_buffer *request,
             struct health_answer *answer)
{
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    const grpc_op operations[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &answer->message},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {.trailing_metadata = &trailing,
                                        .status = &answer->status,
                                        .status_details = &answer->details}},
    };
    grpc_call_error error = grpc_call_start_batch(
        call, operations, sizeof(operations) / sizeof(operations[0]), queue, NULL);
    INVARIANT(error == GRPC_CALL_OK);
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
}

/* One call of Check, to its end. The caller owns what is in *answer. */
static void
check(const struct health_options *options, struct health_answer *answer)
{
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel *channel = channel_open(options->address);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_millis((int64_t)options->timeout_ms, GPR_TIMESPAN));
    grpc_call *call =
        grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                 grpc_slice_from_static_string(METHOD), NULL, deadline, NULL);
    grpc_byte_buffer *request = make_request(options->service);
    await_answer(call, queue, request, answer);
    grpc_byte_buffer_destroy(request);
    grpc_call_unref(call);
    grpc_channel_destroy(channel);
    grpc_completion_queue_shutdown(queue);
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_completion_queue_destroy(queue);
}

/* The status in an answer's message, as its name; NULL if there is none. */
static const char *
name_status(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    const char *name = NULL;
    if (message == NULL || !grpc_byte_buffer_reader_init(&reader, message))
        return NULL;
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    Grpc__Health__V1__HealthCheckResponse *response =
        grpc__health__v1__health_check_response__unpack(NULL, GRPC_SLICE_LENGTH(slice),
                                                        GRPC_SLICE_START_PTR(slice));
    if (response != NULL) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
            &grpc__health__v1__health_check_response__serving_status__descriptor,
            (int)response->status);
        name = value != NULL ? value->name : "UNKNOWN";
        grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    }
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return name;
}

/* Says why there is no answer of the service's. The message may be a peer's and goes to a
 * terminal. */
static int
report_failure(const struct health_options *options, const struct health_answer *answer)
{
    (void)fprintf(stderr, NAME ": %s: ", options->address);
    quote_print(stderr,
                (struct bytes){.data = (const char *)GRPC_SLICE_START_PTR(answer->details),
                               .size = GRPC_SLICE_LENGTH(answer->details)},
                QUOTE_PLAIN);
    (void)fputc('\n', stderr);
    bool unanswered = answer->status == GRPC_STATUS_UNAVAILABLE ||
                      answer->status == GRPC_STATUS_DEADLINE_EXCEEDED;
    return unanswered ? EX_UNAVAILABLE : EXIT_FAILURE;
}

/* Prints what became of the call; returns the exit code. */
static int
report(const struct health_options *options, const struct health_answer *answer)
{
    if (answer->status != GRPC_STATUS_OK)
        return report_failure(options, answer);
    const char *name = name_status(answer->message);
    if (name == NULL) {
        (void)fprintf(stderr, NAME ": %s: the answer cannot be decoded\n", options->address);
        return EX_UNAVAILABLE;
    }
    (void)printf("%s\n", name);
    return strcmp(name, "SERVING") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
ask(const struct health_options *options)
{
    struct health_answer answer = {.message = NULL};
    channel_set_up_grpc();
    check(options, &answer);
    int code = report(options, &answer);
    grpc_slice_unref(answer.details);
    grpc_byte_buffer_destroy(answer.message);
    grpc_shutdown();
    return code;
}

int
health_command(int argc, char **argv)
{
    struct health_options options;
    struct complaint complaint;
    int code = parse_options(&options, argc, argv, &complaint);
    if (code != 0) {
        (void)fprintf(stderr, NAME ": %s\n", complaint.text);
        return code;
    }
    if (options.help)
        (void)fputs(help_text, stdout);
    else
        code = ask(&options);
    return standard_output_end(NAME, code);
}
