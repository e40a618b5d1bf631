/* go_text.c -- the walkthrough adapter's format.
 *
 * Runs in a worker, for every call: this and decoding are what a call costs. A text that has
 * overflowed takes nothing any more (text.h), so it is asked once, at the end.
 */
#include "worker/render/go_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/call_refusal.h"
#include "worker/decode/map.h"
#include "worker/decode/request.h"
#include "worker/decode/value.h"
#include "worker/decode/wire.h"
#include "worker/render/go_double.h"
#include "worker/render/go_time.h"
#include "worker/render/text.h"

static void
add_pair(void *context, struct bytes key, struct bytes string)
{
    struct map *strings = context;
    struct map_entry *place = map_place(strings);
    place->key = key;
    place->value = (struct value){.kind = VALUE_STRING, .bytes = string};
    map_add(strings);
}

/* "map[string]string{a: 1,b: 2,}" */
static void
add_string_map(struct text *text, struct map *strings, struct bytes message)
{
    struct wire_fault none; /* it was read before */
    map_clear(strings);
    (void)value_read_string_map(&none, message, add_pair, strings);
    size_t count = map_sort(strings);
    text_add_literal(text, "map[string]string{");
    for (size_t i = 0; i < count; i++) {
        const struct map_entry *entry = map_at(strings, i);
        text_add(text, entry->key);
        text_add_literal(text, ": ");
        text_add(text, entry->value.bytes);
        text_add_byte(text, ',');
    }
    text_add_byte(text, '}');
}

/* "[10 0 0 1]" */
static void
add_byte_list(struct text *text, struct bytes bytes)
{
    text_add_byte(text, '[');
    for (size_t i = 0; i < bytes.size; i++) {
        if (i > 0)
            text_add_byte(text, ' ');
        text_add_u64(text, (unsigned char)bytes.data[i]);
    }
    text_add_byte(text, ']');
}

static void
add_double(struct text *text, double value)
{
    char digits[GO_DOUBLE_BYTES_MAX];
    text_add_bytes(text, digits, go_double_format(value, digits));
}

static void
add_timestamp(struct text *text, const struct moment *moment)
{
    if (moment->is_set)
        go_time_add_timestamp(text, moment->seconds, moment->nanos);
    else
        go_time_add_no_timestamp(text);
}

static void
add_duration(struct text *text, const struct moment *moment)
{
    if (moment->is_set)
        go_time_add_duration(text, moment->seconds, moment->nanos);
    else
        go_time_add_no_duration(text);
}

/* The Go adapter unwraps strings and numbers; all other kinds appear as gogo prints the oneof's
 * member. */
static void
add_value(struct text *text, struct map *strings, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NONE:
        text_add_literal(text, "<nil>");
        return;
    case VALUE_STRING:
        text_add(text, value->bytes);
        return;
    case VALUE_INT64:
        text_add_i64(text, value->integer);
        return;
    case VALUE_DOUBLE:
        add_double(text, value->number);
        return;
    case VALUE_BOOL:
        if (value->truth)
            text_add_literal(text, "&Value_BoolValue{BoolValue:true,}");
        else
            text_add_literal(text, "&Value_BoolValue{BoolValue:false,}");
        return;
    case VALUE_IP_ADDRESS:
        text_add_literal(text, "&Value_IpAddressValue{IpAddressValue:&IPAddress{Value:");
        add_byte_list(text, value->bytes);
        break;
    case VALUE_TIMESTAMP:
        text_add_literal(text, "&Value_TimestampValue{TimestampValue:&TimeStamp{Value:");
        add_timestamp(text, &value->moment);
        break;
    case VALUE_DURATION:
        text_add_literal(text, "&Value_DurationValue{DurationValue:&Duration{Value:");
        add_duration(text, &value->moment);
        break;
    case VALUE_EMAIL_ADDRESS:
        text_add_literal(text, "&Value_EmailAddressValue{EmailAddressValue:&EmailAddress{Value:");
        text_add(text, value->bytes);
        break;
    case VALUE_DNS_NAME:
        text_add_literal(text, "&Value_DnsNameValue{DnsNameValue:&DNSName{Value:");
        text_add(text, value->bytes);
        break;
    case VALUE_URI:
        text_add_literal(text, "&Value_UriValue{UriValue:&Uri{Value:");
        text_add(text, value->bytes);
        break;
    case VALUE_STRING_MAP:
        text_add_literal(text, "&Value_StringMapValue{StringMapValue:&StringMap{Value:");
        add_string_map(text, strings, value->bytes);
        break;
    }
    text_add_literal(text, ",},}");
}

/* "map[k:v k2:v2]" */
static void
add_dimensions(struct text *text, struct map *strings, struct map *dimensions)
{
    size_t count = map_sort(dimensions);
    text_add_literal(text, "map[");
    for (size_t i = 0; i < count; i++) {
        const struct map_entry *entry = map_at(dimensions, i);
        if (i > 0)
            text_add_byte(text, ' ');
        text_add(text, entry->key);
        text_add_byte(text, ':');
        add_value(text, strings, &entry->value);
    }
    text_add_byte(text, ']');
}

static void
add_instance(struct text *text, struct map *strings, const struct instance *instance)
{
    text_add_byte(text, '\'');
    text_add(text, instance->name);
    text_add_literal(text, "':\n  {\n\t\tValue = ");
    add_value(text, strings, &instance->value);
    text_add_literal(text, "\n\t\tDimensions = ");
    add_dimensions(text, strings, instance->dimensions);
    text_add_literal(text, "\n  }");
}

bool
go_text_render(struct text *text, struct request *request, enum go_text_ending ending,
               struct call_refusal *refusal_r)
{
    struct instance instance;
    int result;
    text_add_literal(text, "HandleMetric invoked with:\n  Adapter config: &Params{FilePath:");
    text_add(text, request->file_path);
    text_add_literal(text, ",}\n  Instances: ");
    while ((result = request_next(request, &instance, refusal_r)) > 0)
        add_instance(text, request->strings, &instance);
    if (result != 0)
        return false;
    text_add_byte(text, '\n');
    if (ending == GO_TEXT_FOR_STDOUT)
        text_add_byte(text, '\n');
    if (text_overflowed(text))
        return call_refuse(refusal_r, REFUSAL_TOO_LARGE,
                           "the text of the call is longer than workers.max_text_bytes (%zu)",
                           text_limit_bytes(text));
    return true;
}
