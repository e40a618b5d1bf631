/* send_request.c -- encodes a HandleMetricRequest once and knows the places that change with each
 * call.
 *
 * Runs in the process of `mygrpcadapter send`. Encoding is protobuf-c's. Two places are then
 * overwritten per call:
 *
 * - the dedup_id is the last field, and a decimal number of 19 digits throughout, so it is the last
 * 19 bytes;
 * - the `call` dimension is an int64 encoded as INT64_MAX: nine bytes, to which every smaller
 * number can be padded (Mixer's own encoder pads numbers in the same way). Only the instance's name
 * stands behind it.
 *
 *     instances = 1, each:  tag length | value | dimensions .. call: ff ff ff ff ff ff ff ff 7f |
 * name adapter_config = 2:   tag length | type_url | value dedup_id = 3:         1a 13 | d d d d d
 * d d d d d d d d d d d d d d
 */
#include "commands/send/send_request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config.pb-c.h"
#include "metric.pb-c.h"

#include "commands/send/send_instance.h"
#include "commands/send/send_options.h"
#include "base/invariant.h"

#define PARAMS_TYPE_URL "type.googleapis.com/adapter.mygrpcadapter.config.Params"

#define REQUEST_FILE_BYTES_MAX ((size_t)64 << 20)

/* From 10^18 on a number has 19 digits; a start below 9 * 10^18 leaves room for any count of calls
 * above it. */
#define DEDUP_ID_DIGITS 19
#define DEDUP_ID_MIN UINT64_C(1000000000000000000)
#define DEDUP_ID_START_END (9 * DEDUP_ID_MIN)

#define CALL_SLOT_BYTES 9

_Static_assert(SEND_COUNT_MAX < DEDUP_ID_MIN, "a dedup_id keeps its width through all calls");

/* ---- the two numbers that change */

static void
write_dedup_id(uint8_t *out, uint64_t id)
{
    for (size_t i = DEDUP_ID_DIGITS; i-- > 0; id /= 10)
        out[i] = (uint8_t)('0' + id % 10);
}

/* A varint of nine bytes, however small the number. */
static void
write_call_number(uint8_t *out, uint64_t number)
{
    for (size_t i = 0; i < CALL_SLOT_BYTES - 1; i++, number >>= 7)
        out[i] = (uint8_t)(0x80 | (number & 0x7f));
    out[CALL_SLOT_BYTES - 1] = (uint8_t)(number & 0x7f);
}

static uint64_t
random_dedup_id(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = 0; /* Mixer's are not unique either: a start known beforehand does no harm */
    return DEDUP_ID_MIN + number % (DEDUP_ID_START_END - DEDUP_ID_MIN);
}

/* ---- building */

/* The handler's params, packed. The caller frees out->data. */
static int
pack_params(ProtobufCBinaryData *out, const char *file_path)
{
    Adapter__Mygrpcadapter__Config__Params params = ADAPTER__MYGRPCADAPTER__CONFIG__PARAMS__INIT;
    params.file_path = strdup(file_path == NULL ? "" : file_path);
    if (params.file_path == NULL)
        return -ENOMEM;
    size_t size = adapter__mygrpcadapter__config__params__get_packed_size(&params);
    out->data = malloc(size + 1); /* never of no bytes, so that NULL always means no memory */
    if (out->data != NULL)
        out->len = adapter__mygrpcadapter__config__params__pack(&params, out->data);
    free(params.file_path);
    return out->data == NULL ? -ENOMEM : 0;
}

/* Where the call numbers stand. All instances are alike and come first in the request; in each of
 * them, nothing but the name is behind the number. */
static void
locate_call_slots(struct send_request *request, Metric__InstanceMsg *instance)
{
    Metric__HandleMetricRequest only_instance = METRIC__HANDLE_METRIC_REQUEST__INIT;
    only_instance.instances = &instance;
    only_instance.n_instances = 1;
    Metric__InstanceMsg only_name = METRIC__INSTANCE_MSG__INIT;
    only_name.name = instance->name;

    size_t behind = metric__instance_msg__get_packed_size(&only_name) + CALL_SLOT_BYTES;
    request->call_slot_stride = metric__handle_metric_request__get_packed_size(&only_instance);
    request->call_slot_first = request->call_slot_stride - behind;
    request->call_slot_count = request->instance_count;

    static const uint8_t placeholder[CALL_SLOT_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                                         0xff, 0xff, 0xff, 0x7f};
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
    request->shared_size = request->size - DEDUP_ID_DIGITS;
    INVARIANT(memcmp(request->bytes + request->shared_size, message->dedup_id, DEDUP_ID_DIGITS) ==
              0);
    return 0;
}

static int
build(struct send_request *request, const struct send_options *options)
{
    struct send_instance *instance = NULL;
    Metric__InstanceMsg **instances = NULL;
    ProtobufCBinaryData params = {0};
    int error = pack_params(&params, options->file_path);
    if (error != 0)
        goto out;
    error = send_instance_open(&instance, options);
    if (error != 0)
        goto out;
    instances = calloc(options->instances, sizeof(Metric__InstanceMsg *));
    if (instances == NULL) {
        error = -ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < options->instances; i++)
        instances[i] = send_instance_message(instance);

    char type_url[] = PARAMS_TYPE_URL;
    Google__Protobuf__Any config = GOOGLE__PROTOBUF__ANY__INIT;
    config.type_url = type_url;
    config.value = params;

    request->dedup_id_first = random_dedup_id();
    char dedup_id[DEDUP_ID_DIGITS + 1] = "";
    write_dedup_id((uint8_t *)dedup_id, request->dedup_id_first);

    Metric__HandleMetricRequest message = METRIC__HANDLE_METRIC_REQUEST__INIT;
    message.n_instances = options->instances;
    message.instances = instances;
    message.adapter_config = options->no_config ? NULL : &config;
    message.dedup_id = dedup_id;
    request->instance_count = options->instances;
    error = pack_request(request, &message);
    if (error == 0 && options->unique) {
        locate_call_slots(request, instances[0]);
        request->shared_size = 0;
    }
out:
    free(instances);
    send_instance_close(&instance);
    free(params.data);
    return error;
}

/* ---- reading */

static int
read_stream(struct send_request *request, FILE *stream)
{
    size_t capacity = 0;
    do {
        if (request->size == capacity) {
            capacity = capacity == 0 ? 65536 : 2 * capacity;
            uint8_t *grown = realloc(request->bytes, capacity);
            if (grown == NULL)
                return -ENOMEM;
            request->bytes = grown;
        }
        request->size += fread(request->bytes + request->size, 1, capacity - request->size, stream);
        if (request->size > REQUEST_FILE_BYTES_MAX)
            return -EFBIG;
    } while (!feof(stream) && !ferror(stream));
    return ferror(stream) ? -EIO : 0;
}

static int
read_file(struct send_request *request, const char *path)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL)
        return -errno;
    errno = 0;
    int error = read_stream(request, stream);
    if (error == -EIO && errno != 0)
        error = -errno; /* such as EISDIR */
    (void)fclose(stream);
    if (error != 0)
        return error;

    request->shared_size = request->size;
    Metric__HandleMetricRequest *message =
        metric__handle_metric_request__unpack(NULL, request->size, request->bytes);
    if (message != NULL)
        request->instance_count = message->n_instances;
    metric__handle_metric_request__free_unpacked(message, NULL);
    return 0;
}

/* ---- public */

int
send_request_open(struct send_request **out, const struct send_options *options)
{
    struct send_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return -ENOMEM;
    int error = options->request_file != NULL ? read_file(request, options->request_file)
                                              : build(request, options);
    if (error != 0) {
        send_request_close(&request);
        return error;
    }
    *out = request;
    return 0;
}

void
send_request_close(struct send_request **request_p)
{
    if (*request_p == NULL)
        return;
    free((*request_p)->bytes);
    free(*request_p);
    *request_p = NULL;
}

void
send_request_write(const struct send_request *request, uint64_t number, uint8_t *out)
{
    INVARIANT(number >= 1 && number <= SEND_COUNT_MAX);
    if (request->dedup_id_first == 0)
        return;
    size_t own_size = request->size - request->shared_size;
    memcpy(out, request->bytes + request->shared_size, own_size);
    write_dedup_id(out + own_size - DEDUP_ID_DIGITS, request->dedup_id_first + number - 1);
    for (size_t i = 0; i < request->call_slot_count; i++)
        write_call_number(out + request->call_slot_first + i * request->call_slot_stride, number);
}
