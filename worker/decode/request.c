/* request.c -- decodes the messages around the values. Runs in a worker, for every call: this and
 * rendering are what a call costs. */
#include "worker/decode/request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "base/quote.h"
#include "worker/call_refusal.h"
#include "worker/decode/map.h"

/* Room for the type in a message. */
#define TYPE_URL_SHOWN_BYTES 100

/* The fields, by their numbers. */
enum { REQUEST_INSTANCES = 1, REQUEST_ADAPTER_CONFIG = 2, REQUEST_DEDUP_ID = 3 };
enum {
    INSTANCE_VALUE = 1,
    INSTANCE_DIMENSIONS = 2,
    INSTANCE_MONITORED_RESOURCE_TYPE = 3,
    INSTANCE_MONITORED_RESOURCE_DIMENSIONS = 4,
    INSTANCE_NAME = 72295727
};
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { ANY_TYPE_URL = 1, ANY_VALUE = 2 };
enum { PARAMS_FILE_PATH = 1 };

/* A map's entry takes two bytes at least. */
#define BYTES_PER_ENTRY_MIN 2

int
request_open(struct request **out, size_t bytes_max)
{
    struct request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return -ENOMEM;
    request->bytes_max = bytes_max;
    int result = map_open(&request->dimensions, bytes_max / BYTES_PER_ENTRY_MIN + 1);
    if (result == 0)
        result = map_open(&request->strings, bytes_max / BYTES_PER_ENTRY_MIN + 1);
    if (result != 0) {
        request_close(&request);
        return result;
    }
    *out = request;
    return 0;
}

void
request_close(struct request **rp)
{
    if (*rp == NULL)
        return;
    map_close(&(*rp)->dimensions);
    map_close(&(*rp)->strings);
    free(*rp);
    *rp = NULL;
}

/* ---- the instances */

/* Allows that an entry was read past its end, as gogo does (wire.h). A client that sends many of
 * these could have each byte read again and again: in all, not more bytes are read twice than
 * the request has. */
static bool
allow_overrun(struct request *request, const struct wire *wire, const uint8_t *end)
{
    size_t overrun_bytes = (size_t)(wire->at - end);
    if (overrun_bytes > request->twice_readable_bytes)
        return wire_refuse(wire, end, "too many map entries run past their end");
    request->twice_readable_bytes -= overrun_bytes;
    return true;
}

/* Reads an entry of a map<string, Value>, in a message that ends at `outer_end`. */
static bool
read_dimension(struct request *request, struct bytes message, const uint8_t *outer_end,
               struct map_entry *entry)
{
    struct wire wire = wire_open(&request->fault, message);
    const uint8_t *end = wire.end;
    wire.end = outer_end;
    struct bytes key = {"", 0};
    struct bytes value;
    value_clear(&entry->value);
    while (wire.at < end) {
        struct wire_field field;
        if (!wire_tag(&wire, &field))
            return false;
        switch (field.number) {
        case ENTRY_KEY:
            if (!wire_length(&wire, &key))
                return wire_in(&wire, "key");
            break;
        case ENTRY_VALUE:
            value_clear(&entry->value);
            if (!wire_length(&wire, &value) || !value_read(wire.fault, value, &entry->value))
                return wire_in(&wire, "value");
            break;
        default:
            if (!wire_skip_in_entry(&wire, &field, end))
                return false;
        }
    }
    entry->key = key;
    return wire.at == end || allow_overrun(request, &wire, end);
}

/* Reads a field of an instance that is such an entry. */
static inline bool
read_dimension_field(struct request *request, struct wire *wire, const struct wire_field *field,
                     struct map_entry *entry)
{
    struct bytes message;
    struct bytes value;
    if (!wire_bytes(wire, field, &message))
        return false;
    if (!wire_is_pair(message, &entry->key, &value))
        return read_dimension(request, message, wire->end, entry);
    value_clear(&entry->value);
    return value_read(wire->fault, value, &entry->value) || wire_in(wire, "value");
}

static bool
read_instance(struct request *request, struct bytes message, struct instance *instance)
{
    struct wire wire = wire_open(&request->fault, message);
    struct map *dimensions = instance->dimensions;
    struct bytes bytes;
    size_t others = 0;
    while (wire_more(&wire)) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        switch (field.number) {
        case INSTANCE_VALUE:
            if (!wire_bytes(&wire, &field, &bytes) ||
                !value_read(wire.fault, bytes, &instance->value))
                return wire_in(&wire, "value");
            break;
        case INSTANCE_DIMENSIONS:
            if (!read_dimension_field(request, &wire, &field, map_place(dimensions)))
                return wire_in_item(&wire, "dimensions", dimensions->count);
            map_add(dimensions);
            break;
        case INSTANCE_MONITORED_RESOURCE_TYPE:
            if (!wire_bytes(&wire, &field, &bytes))
                return wire_in(&wire, "monitored_resource_type");
            break;
        case INSTANCE_MONITORED_RESOURCE_DIMENSIONS: /* only checked: never added */
            if (!read_dimension_field(request, &wire, &field, map_place(dimensions)))
                return wire_in_item(&wire, "monitored_resource_dimensions", others);
            others++;
            break;
        case INSTANCE_NAME:
            if (!wire_bytes(&wire, &field, &instance->name))
                return wire_in(&wire, "name");
            break;
        default:
            if (!wire_skip(&wire, &field))
                return false;
        }
    }
    return true;
}

/* Reads up to the next instance, and that. What is between instances has been read before. */
static bool
read_next_instance(struct request *request, struct instance *instance, bool *found_r)
{
    struct wire wire = wire_open(&request->fault, request->left);
    *found_r = false;
    while (!*found_r && wire_more(&wire)) {
        struct wire_field field;
        struct bytes message;
        if (!wire_field(&wire, &field))
            return false;
        if (field.number != REQUEST_INSTANCES) {
            if (!wire_skip(&wire, &field))
                return false;
            continue;
        }
        *found_r = true;
        if (!wire_bytes(&wire, &field, &message) || !read_instance(request, message, instance))
            return wire_in_item(&wire, "instances", request->instances_read);
        request->instances_read++;
    }
    request->left = (struct bytes){(const char *)wire.at, (size_t)(wire.end - wire.at)};
    return true;
}

int
request_next(struct request *request, struct instance *instance_r, struct call_refusal *refusal_r)
{
    bool found;
    instance_r->name = (struct bytes){"", 0};
    value_clear(&instance_r->value);
    instance_r->dimensions = request->dimensions;
    map_clear(request->dimensions);
    if (!read_next_instance(request, instance_r, &found)) {
        (void)wire_explain(&request->fault, refusal_r);
        return -1;
    }
    return found ? 1 : 0;
}

/* ---- what is around them */

static bool
read_config(struct request *request, struct bytes message)
{
    struct wire wire = wire_open(&request->fault, message);
    while (wire_more(&wire)) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        switch (field.number) {
        case ANY_TYPE_URL:
            if (!wire_bytes(&wire, &field, &request->config_type_url))
                return wire_in(&wire, "type_url");
            break;
        case ANY_VALUE:
            if (!wire_bytes(&wire, &field, &request->config_value))
                return wire_in(&wire, "value");
            break;
        default:
            if (!wire_skip(&wire, &field))
                return false;
        }
    }
    return true;
}

/* Reads all fields of the request, but of the instances only how long they are. */
static bool
read_around_instances(struct request *request, struct bytes message)
{
    struct wire wire = wire_open(&request->fault, message);
    struct bytes bytes;
    for (size_t instances = 0; wire_more(&wire);) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        switch (field.number) {
        case REQUEST_INSTANCES:
            if (!wire_bytes(&wire, &field, &bytes))
                return wire_in_item(&wire, "instances", instances);
            instances++;
            break;
        case REQUEST_ADAPTER_CONFIG:
            if (!wire_bytes(&wire, &field, &bytes) || !read_config(request, bytes))
                return wire_in(&wire, "adapter_config");
            break;
        case REQUEST_DEDUP_ID:
            if (!wire_bytes(&wire, &field, &bytes))
                return wire_in(&wire, "dedup_id");
            break;
        default:
            if (!wire_skip(&wire, &field))
                return false;
        }
    }
    return true;
}

static bool
read_params(struct request *request, struct bytes message)
{
    struct wire wire = wire_open(&request->fault, message);
    while (wire_more(&wire)) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        if (field.number == PARAMS_FILE_PATH) {
            if (!wire_bytes(&wire, &field, &request->file_path))
                return wire_in(&wire, "file_path");
        } else if (!wire_skip(&wire, &field)) {
            return false;
        }
    }
    return true;
}

/* What follows the last '/', or everything if there is none. */
static struct bytes
type_of_url(struct bytes url)
{
    const char *slash = url.size > 0 ? memrchr(url.data, '/', url.size) : NULL;
    if (slash == NULL)
        return url;
    size_t skipped = (size_t)(slash - url.data) + 1;
    return (struct bytes){.data = slash + 1, .size = url.size - skipped};
}

/* Mixer always says the type; who says none is not contradicted, as the Go adapter does not. */
static bool
check_config_type(const struct request *request, struct call_refusal *refusal_r)
{
    static const struct bytes params_type = {REQUEST_PARAMS_TYPE, sizeof(REQUEST_PARAMS_TYPE) - 1};
    if (request->config_type_url.size == 0 ||
        bytes_equal(type_of_url(request->config_type_url), params_type))
        return true;
    char shown[TYPE_URL_SHOWN_BYTES];
    return call_refuse(refusal_r, REFUSAL_MALFORMED,
                       "adapter_config is of type \"%s\", not " REQUEST_PARAMS_TYPE,
                       quote_bytes(shown, sizeof(shown), request->config_type_url, QUOTE_MARKS));
}

bool
request_begin(struct request *request, struct bytes wire, struct call_refusal *refusal_r)
{
    INVARIANT(wire.size <= request->bytes_max);
    static const struct bytes none = {"", 0};
    if (wire.size == 0)
        wire = none;
    request->config_type_url = none;
    request->config_value = none;
    request->file_path = none;
    request->instances_read = 0;
    request->twice_readable_bytes = wire.size;
    request->left = wire;
    map_trim(request->dimensions);
    map_trim(request->strings);

    wire_fault_begin(&request->fault, wire);
    if (!read_around_instances(request, wire))
        return wire_explain(&request->fault, refusal_r);
    if (!check_config_type(request, refusal_r))
        return false;
    if (!read_params(request, request->config_value)) {
        (void)wire_fault_in(&request->fault, "adapter_config.value");
        return wire_explain(&request->fault, refusal_r);
    }
    return true;
}
