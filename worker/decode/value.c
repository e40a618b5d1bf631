/* value.c -- decodes a Value and what it wraps. Runs in a worker. */
#include "worker/decode/value.h"

#include <string.h>

#include "worker/decode/wire.h"

/* IPAddress, DNSName, EmailAddress, Uri: one field that is a string or bytes. */
static bool
read_wrapped_bytes(struct wire_fault *fault, struct bytes message, struct bytes *bytes)
{
    struct wire wire = wire_open(fault, message);
    *bytes = (struct bytes){"", 0};
    while (wire_more(&wire)) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        if (field.number == 1) {
            if (!wire_bytes(&wire, &field, bytes))
                return wire_in(&wire, "value");
        } else if (!wire_skip(&wire, &field)) {
            return false;
        }
    }
    return true;
}

/* A google.protobuf.Timestamp or Duration. */
static bool
read_moment(struct wire_fault *fault, struct bytes message, struct moment *moment)
{
    struct wire wire = wire_open(fault, message);
    moment->is_set = true;
    while (wire_more(&wire)) {
        struct wire_field field;
        uint64_t number;
        if (!wire_field(&wire, &field))
            return false;
        switch (field.number) {
        case 1:
            if (!wire_number(&wire, &field, &number))
                return wire_in(&wire, "seconds");
            moment->seconds = (int64_t)number;
            break;
        case 2:
            if (!wire_number(&wire, &field, &number))
                return wire_in(&wire, "nanos");
            moment->nanos = (int32_t)(uint32_t)number;
            break;
        default:
            if (!wire_skip(&wire, &field))
                return false;
        }
    }
    return true;
}

/* TimeStamp, Duration. Given twice, the moments in it are merged. */
static bool
read_wrapped_moment(struct wire_fault *fault, struct bytes message, struct moment *moment)
{
    struct wire wire = wire_open(fault, message);
    *moment = (struct moment){0};
    while (wire_more(&wire)) {
        struct wire_field field;
        struct bytes inner;
        if (!wire_field(&wire, &field))
            return false;
        if (field.number == 1) {
            if (!wire_bytes(&wire, &field, &inner) || !read_moment(fault, inner, moment))
                return wire_in(&wire, "value");
        } else if (!wire_skip(&wire, &field)) {
            return false;
        }
    }
    return true;
}

/* An entry of a map<string, string>, in a message that ends at `outer_end`. */
static bool
read_string_entry(struct wire_fault *fault, struct bytes entry, const uint8_t *outer_end,
                  struct bytes *key, struct bytes *string)
{
    struct wire wire = wire_open(fault, entry);
    const uint8_t *end = wire.end;
    wire.end = outer_end;
    *key = (struct bytes){"", 0};
    *string = (struct bytes){"", 0};
    while (wire.at < end) {
        struct wire_field field;
        if (!wire_tag(&wire, &field))
            return false;
        if (field.number == 1) {
            if (!wire_length(&wire, key))
                return wire_in(&wire, "key");
        } else if (field.number == 2) {
            if (!wire_length(&wire, string))
                return wire_in(&wire, "value");
        } else if (!wire_skip_in_entry(&wire, &field, end)) {
            return false;
        }
    }
    return true;
}

bool
value_read_string_map(struct wire_fault *fault, struct bytes message, value_take_pair take,
                      void *context)
{
    struct wire wire = wire_open(fault, message);
    for (size_t count = 0; wire_more(&wire);) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        if (field.number != 1) {
            if (!wire_skip(&wire, &field))
                return false;
            continue;
        }
        struct bytes entry;
        struct bytes key;
        struct bytes string;
        if (!wire_bytes(&wire, &field, &entry) ||
            !(wire_is_pair(entry, &key, &string) ||
              read_string_entry(fault, entry, wire.end, &key, &string)))
            return wire_in_item(&wire, "value", count);
        if (take != NULL)
            take(context, key, string);
        count++;
    }
    return true;
}

/* Reads a member that is a message. */
static bool
read_message(struct wire_fault *fault, struct bytes message, enum value_kind kind,
             struct value *value)
{
    value->kind = kind;
    if (kind == VALUE_TIMESTAMP || kind == VALUE_DURATION)
        return read_wrapped_moment(fault, message, &value->moment);
    if (kind != VALUE_STRING_MAP)
        return read_wrapped_bytes(fault, message, &value->bytes);
    value->bytes = message;
    return value_read_string_map(fault, message, NULL, NULL);
}

/* Reads a field of a Value, which is one of its members. */
static inline bool
read_member(struct wire *wire, const struct wire_field *field, struct value *value)
{
    struct bytes bytes;
    uint64_t number;
    switch (field->number) {
    case VALUE_STRING:
        if (!wire_bytes(wire, field, &bytes))
            return false;
        value->kind = VALUE_STRING;
        value->bytes = bytes;
        return true;
    case VALUE_INT64:
        if (!wire_number(wire, field, &number))
            return false;
        value->kind = VALUE_INT64;
        value->integer = (int64_t)number;
        return true;
    case VALUE_DOUBLE:
        if (!wire_fixed64(wire, field, &number))
            return false;
        value->kind = VALUE_DOUBLE;
        memcpy(&value->number, &number, sizeof(number));
        return true;
    case VALUE_BOOL:
        if (!wire_number(wire, field, &number))
            return false;
        value->kind = VALUE_BOOL;
        value->truth = number != 0;
        return true;
    default:
        return wire_bytes(wire, field, &bytes) &&
               read_message(wire->fault, bytes, (enum value_kind)field->number, value);
    }
}

static const char *const member_names[] = {
    [VALUE_STRING] = "string_value",         [VALUE_INT64] = "int64_value",
    [VALUE_DOUBLE] = "double_value",         [VALUE_BOOL] = "bool_value",
    [VALUE_IP_ADDRESS] = "ip_address_value", [VALUE_TIMESTAMP] = "timestamp_value",
    [VALUE_DURATION] = "duration_value",     [VALUE_EMAIL_ADDRESS] = "email_address_value",
    [VALUE_DNS_NAME] = "dns_name_value",     [VALUE_URI] = "uri_value",
    [VALUE_STRING_MAP] = "string_map_value",
};

__attribute__((noinline)) static bool
read_any(struct wire_fault *fault, struct bytes message, struct value *value)
{
    struct wire wire = wire_open(fault, message);
    while (wire_more(&wire)) {
        struct wire_field field;
        if (!wire_field(&wire, &field))
            return false;
        if (field.number > VALUE_STRING_MAP) {
            if (!wire_skip(&wire, &field))
                return false;
        } else if (!read_member(&wire, &field, value)) {
            return wire_in(&wire, member_names[field.number]);
        }
    }
    return true;
}

/* Reads what nearly all values are: a single member that is a string, a number below 2^14 or a
 * double. Returns false for any other, with *value as it was. */
static inline bool
read_usual(struct bytes message, struct value *value)
{
    const uint8_t *at = (const uint8_t *)message.data;
    switch (message.size < 2 ? 0 : at[0]) {
    case VALUE_STRING << 3 | WIRE_LENGTH:
        if (at[1] >= 0x80 || at[1] != message.size - 2)
            return false;
        value->kind = VALUE_STRING;
        value->bytes = (struct bytes){message.data + 2, message.size - 2};
        return true;
    case VALUE_INT64 << 3 | WIRE_VARINT:
        if (message.size > 3 || at[message.size - 1] >= 0x80 || (message.size == 3 && at[1] < 0x80))
            return false;
        value->kind = VALUE_INT64;
        value->integer = message.size == 2 ? at[1] : (at[1] & 0x7f) | at[2] << 7;
        return true;
    case VALUE_DOUBLE << 3 | WIRE_FIXED64: {
        if (message.size != 1 + sizeof(value->number))
            return false;
        uint64_t number = le64_get(at + 1);
        value->kind = VALUE_DOUBLE;
        memcpy(&value->number, &number, sizeof(number));
        return true;
    }
    default:
        return false;
    }
}

bool
value_read(struct wire_fault *fault, struct bytes message, struct value *value)
{
    return read_usual(message, value) || read_any(fault, message, value);
}
