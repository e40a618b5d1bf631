/* send_request_from_options.c -- a request as Mixer would send it, made of what the command line
 * says.
 *
 * Runs in the process of `mygrpcadapter send`, once. protobuf-c encodes it; the numbers that change
 * with each call are then found in the bytes.
 */
#include "commands/send/send_request_from_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config.pb-c.h"
#include "metric.pb-c.h"

#include "base/bytes.h"
#include "base/invariant.h"
#include "commands/send/request_layout.h"
#include "commands/send/send_instance.h"
#include "commands/send/send_options.h"

#define PARAMS_TYPE_URL "type.googleapis.com/adapter.mygrpcadapter.config.Params"

/* From 10^18 on a number has 19 digits; a start below 9 * 10^18 leaves room above it for any count
 * of calls. */
#define DEDUP_ID_MIN UINT64_C(1000000000000000000)
#define DEDUP_ID_START_END (9 * DEDUP_ID_MIN)

_Static_assert(SEND_COUNT_MAX < DEDUP_ID_MIN, "a dedup_id keeps its width through all calls");

static uint64_t
random_dedup_id(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = 0; /* Mixer's are not unique either: a known start does no harm */
    return DEDUP_ID_MIN + number % (DEDUP_ID_START_END - DEDUP_ID_MIN);
}

/* The handler's params, packed. The caller frees out->data. */
static int
pack_params(ProtobufCBinaryData *out, const char *file_path)
{
    Adapter__Mygrpcadapter__Config__Params params = ADAPTER__MYGRPCADAPTER__CONFIG__PARAMS__INIT;
    params.file_path = bytes_unconst(file_path == NULL ? "" : file_path);
    size_t size = adapter__mygrpcadapter__config__params__get_packed_size(&params);
    out->data = malloc(size + 1); /* at least one byte, so that NULL always means no memory */
    if (out->data == NULL)
        return -ENOMEM;
    out->len = adapter__mygrpcadapter__config__params__pack(&params, out->data);
    return 0;
}

/* Finds the places of the call numbers. All instances are alike and come first in the request; in
 * each of them, nothing but the name is behind the number. */
static void
locate_call_slots(struct send_request *request, Metric__InstanceMsg *instance)
{
    static const uint8_t placeholder[CALL_SLOT_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                                         0xff, 0xff, 0xff, 0x7f};
    Metric__HandleMetricRequest only_instance = METRIC__HANDLE_METRIC_REQUEST__INIT;
    only_instance.instances = &instance;
    only_instance.n_instances = 1;
    Metric__InstanceMsg only_name = METRIC__INSTANCE_MSG__INIT;
    only_name.name = instance->name;

    size_t behind = metric__instance_msg__get_packed_size(&only_name) + CALL_SLOT_BYTES;
    request->call_slot_stride = metric__handle_metric_request__get_packed_size(&only_instance);
    INVARIANT(behind < request->call_slot_stride);
    request->call_slot_first = request->call_slot_stride - behind;
    request->call_slot_count = request->instance_count;
    for (size_t i = 0; i < request->call_slot_count; i++)
        INVARIANT(memcmp(request->bytes + request->call_slot_first + i * request->call_slot_stride,
                         placeholder, sizeof(placeholder)) == 0);
}

static int
pack_request(struct send_request *request, const Metric__HandleMetricRequest *message)
{
    request->size = metric__handle_metric_request__get_packed_size(message);
    request->bytes = malloc(request->size);
    if (request->bytes == NULL)
        return -ENOMEM;
    (void)metric__handle_metric_request__pack(message, request->bytes);
    request->instance_count = message->n_instances;
    request->shared_size = request->size - DEDUP_ID_DIGITS;
    INVARIANT(memcmp(request->bytes + request->shared_size, message->dedup_id, DEDUP_ID_DIGITS) ==
              0);
    return 0;
}

/* `instances` has room for as many pointers as there are to be instances. */
static int
pack_parts(struct send_request *request, const struct send_options *options,
           ProtobufCBinaryData params, Metric__InstanceMsg **instances,
           Metric__InstanceMsg *instance)
{
    for (size_t i = 0; i < options->instances; i++)
        instances[i] = instance;

    char type_url[] = PARAMS_TYPE_URL;
    Google__Protobuf__Any config = GOOGLE__PROTOBUF__ANY__INIT;
    config.type_url = type_url;
    config.value = params;

    char dedup_id[DEDUP_ID_DIGITS + 1] = "";
    request->dedup_id_first = random_dedup_id();
    request_layout_write_dedup_id((uint8_t *)dedup_id, request->dedup_id_first);

    Metric__HandleMetricRequest message = METRIC__HANDLE_METRIC_REQUEST__INIT;
    message.n_instances = options->instances;
    message.instances = instances;
    message.adapter_config = options->no_config ? NULL : &config;
    message.dedup_id = dedup_id;
    int error = pack_request(request, &message);
    if (error == 0 && options->unique) {
        locate_call_slots(request, instance);
        request->shared_size = 0;
    }
    return error;
}

int
send_request_from_options(struct send_request *request, const struct send_options *options)
{
    struct send_instance *instance = NULL;
    ProtobufCBinaryData params = {0};
    Metric__InstanceMsg **instances = calloc(options->instances, sizeof(Metric__InstanceMsg *));
    int error = instances != NULL ? 0 : -ENOMEM;
    if (error == 0)
        error = pack_params(&params, options->file_path);
    if (error == 0)
        error = send_instance_open(&instance, options);
    if (error == 0)
        error = pack_parts(request, options, params, instances, send_instance_message(instance));
    send_instance_close(&instance);
    free(instances);
    free(params.data);
    return error;
}
