/* send_instance.c -- fills protobuf-c's structures for an instance, its value and its dimensions.
 *
 * Runs in the process of `mygrpcadapter send`. A Value is a oneof of pointers to small messages,
 * some of which hold another message. struct value_message keeps all of them in one piece, so that
 * an instance is two allocations. protobuf-c's messages have no const members, though it only reads
 * what it packs.
 */
#include "commands/send/send_instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metric.pb-c.h"

#include "base/bytes.h"
#include "base/invariant.h"
#include "commands/send/send_options.h"

/* A Value with the messages it points to. As it points into itself, it must not be moved. */
struct value_message {
    Istio__Policy__V1beta1__Value value;
    union {
        Istio__Policy__V1beta1__EmailAddress email_address;
        Istio__Policy__V1beta1__DNSName dns_name;
        Istio__Policy__V1beta1__Uri uri;
        struct {
            Istio__Policy__V1beta1__IPAddress wrapper;
            uint8_t bytes[SEND_VALUE_ADDRESS_BYTES_MAX];
        } address;
        struct {
            Istio__Policy__V1beta1__TimeStamp wrapper;
            Google__Protobuf__Timestamp inner;
        } timestamp;
        struct {
            Istio__Policy__V1beta1__Duration wrapper;
            Google__Protobuf__Duration inner;
        } duration;
    } in;
};

struct dimension_message {
    Metric__InstanceMsg__DimensionsEntry entry;
    struct value_message value;
};

struct send_instance {
    Metric__InstanceMsg message;
    struct value_message value;
    /* What message.dimensions points to. */
    Metric__InstanceMsg__DimensionsEntry **entries;
    size_t dimension_max;
    struct dimension_message dimensions[];
};

static void
set_address(struct value_message *message, const struct send_value *value)
{
    istio__policy__v1beta1__ipaddress__init(&message->in.address.wrapper);
    INVARIANT(value->address_size <= sizeof(message->in.address.bytes));
    memcpy(message->in.address.bytes, value->address, value->address_size);
    message->in.address.wrapper.value.data = message->in.address.bytes;
    message->in.address.wrapper.value.len = value->address_size;
    message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_IP_ADDRESS_VALUE;
    message->value.ip_address_value = &message->in.address.wrapper;
}

static void
set_timestamp(struct value_message *message, const struct send_value *value)
{
    google__protobuf__timestamp__init(&message->in.timestamp.inner);
    message->in.timestamp.inner.seconds = value->integer;
    message->in.timestamp.inner.nanos = value->nanos;
    istio__policy__v1beta1__time_stamp__init(&message->in.timestamp.wrapper);
    message->in.timestamp.wrapper.value = &message->in.timestamp.inner;
    message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_TIMESTAMP_VALUE;
    message->value.timestamp_value = &message->in.timestamp.wrapper;
}

static void
set_duration(struct value_message *message, const struct send_value *value)
{
    google__protobuf__duration__init(&message->in.duration.inner);
    message->in.duration.inner.seconds = value->integer;
    message->in.duration.inner.nanos = value->nanos;
    istio__policy__v1beta1__duration__init(&message->in.duration.wrapper);
    message->in.duration.wrapper.value = &message->in.duration.inner;
    message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_DURATION_VALUE;
    message->value.duration_value = &message->in.duration.wrapper;
}

static void
set_email_address(struct value_message *message, const struct send_value *value)
{
    istio__policy__v1beta1__email_address__init(&message->in.email_address);
    message->in.email_address.value = bytes_unconst(value->text);
    message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_EMAIL_ADDRESS_VALUE;
    message->value.email_address_value = &message->in.email_address;
}

static void
set_dns_name(struct value_message *message, const struct send_value *value)
{
    istio__policy__v1beta1__dnsname__init(&message->in.dns_name);
    message->in.dns_name.value = bytes_unconst(value->text);
    message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_DNS_NAME_VALUE;
    message->value.dns_name_value = &message->in.dns_name;
}

static void
set_uri(struct value_message *message, const struct send_value *value)
{
    istio__policy__v1beta1__uri__init(&message->in.uri);
    message->in.uri.value = bytes_unconst(value->text);
    message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_URI_VALUE;
    message->value.uri_value = &message->in.uri;
}

/* Fills *message, which borrows the value's text. Returns the Value to use, NULL for none. */
static Istio__Policy__V1beta1__Value *
value_message_fill(struct value_message *message, const struct send_value *value)
{
    istio__policy__v1beta1__value__init(&message->value);
    switch (value->kind) {
    case SEND_VALUE_NONE:
        return NULL;
    case SEND_VALUE_STRING:
        message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_STRING_VALUE;
        message->value.string_value = bytes_unconst(value->text);
        break;
    case SEND_VALUE_INT64:
        message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_INT64_VALUE;
        message->value.int64_value = value->integer;
        break;
    case SEND_VALUE_DOUBLE:
        message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_DOUBLE_VALUE;
        message->value.double_value = value->number;
        break;
    case SEND_VALUE_BOOL:
        message->value.value_case = ISTIO__POLICY__V1BETA1__VALUE__VALUE_BOOL_VALUE;
        message->value.bool_value = value->integer != 0;
        break;
    case SEND_VALUE_IP_ADDRESS:
        set_address(message, value);
        break;
    case SEND_VALUE_TIMESTAMP:
        set_timestamp(message, value);
        break;
    case SEND_VALUE_DURATION:
        set_duration(message, value);
        break;
    case SEND_VALUE_EMAIL_ADDRESS:
        set_email_address(message, value);
        break;
    case SEND_VALUE_DNS_NAME:
        set_dns_name(message, value);
        break;
    case SEND_VALUE_URI:
        set_uri(message, value);
        break;
    }
    return &message->value;
}

static void
instance_add_dimension(struct send_instance *instance, const char *key,
                       const struct send_value *value)
{
    INVARIANT(instance->message.n_dimensions < instance->dimension_max);
    struct dimension_message *dimension = &instance->dimensions[instance->message.n_dimensions];
    metric__instance_msg__dimensions_entry__init(&dimension->entry);
    dimension->entry.key = bytes_unconst(key);
    dimension->entry.value = value_message_fill(&dimension->value, value);
    instance->entries[instance->message.n_dimensions++] = &dimension->entry;
}

int
send_instance_open(struct send_instance **out, const struct send_options *options)
{
    size_t count_max = options->dimension_count + 1;
    struct send_instance *instance =
        calloc(1, sizeof(*instance) + count_max * sizeof(instance->dimensions[0]));
    if (instance == NULL)
        return -ENOMEM;
    instance->entries = calloc(count_max, sizeof(Metric__InstanceMsg__DimensionsEntry *));
    if (instance->entries == NULL) {
        free(instance);
        return -ENOMEM;
    }

    metric__instance_msg__init(&instance->message);
    instance->dimension_max = count_max;
    instance->message.name = bytes_unconst(options->name);
    instance->message.value = value_message_fill(&instance->value, &options->value);
    instance->message.dimensions = instance->entries;
    for (size_t i = 0; i < options->dimension_count; i++)
        instance_add_dimension(instance, options->dimensions[i].key, &options->dimensions[i].value);
    if (options->unique) {
        const struct send_value call = {.kind = SEND_VALUE_INT64,
                                        .integer = SEND_INSTANCE_CALL_PLACEHOLDER};
        instance_add_dimension(instance, SEND_UNIQUE_KEY, &call);
    }
    *out = instance;
    return 0;
}

void
send_instance_close(struct send_instance **instance_p)
{
    if (*instance_p == NULL)
        return;
    free((*instance_p)->entries);
    free(*instance_p);
    *instance_p = NULL;
}

struct Metric__InstanceMsg *
send_instance_message(struct send_instance *instance)
{
    return &instance->message;
}
