/* go_text.c -- the walkthrough adapter's format.
 *
 * Runs in a worker, for every call: this and decoding are what a call costs. Map entries are sorted
 * by a stable bottom-up merge sort of O(n log n) whatever the keys are, on the stack for the usual
 * sizes. Running out of arena or text sticks in them and is looked at once, at the end.
 */
#include "worker/go_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <metric.pb-c.h>

#include "worker/arena.h"
#include "worker/go_double.h"
#include "worker/go_time.h"
#include "worker/request.h"
#include "worker/text.h"

/* Maps of up to this many entries are sorted without the arena. Mixer's have 5 to 20. */
#define ENTRIES_ON_STACK 64

/* Runs of this length are sorted by insertion before they are merged. */
#define RUN_ENTRIES 16

/* A map entry to be sorted. */
struct entry {
    uint64_t prefix; /* the key's first bytes as a big-endian number, so that one comparison settles
                        most */
    const char *key;
    size_t key_size;
    const void *value; /* Istio__Policy__V1beta1__Value, or char of a StringMap */
};

typedef Istio__Policy__V1beta1__Value Value;
typedef Istio__Policy__V1beta1__StringMap StringMap;

static struct entry
entry_make(const char *key, const void *value)
{
    struct bytes bytes = arena_string(key);
    unsigned char head[sizeof(uint64_t)] = {0};
    uint64_t prefix;
    memcpy(head, bytes.data, bytes.size < sizeof(head) ? bytes.size : sizeof(head));
    memcpy(&prefix, head, sizeof(prefix));
    return (struct entry){
        .prefix = be64toh(prefix), .key = bytes.data, .key_size = bytes.size, .value = value};
}

/* Bytewise; of two keys of which one begins with the other, the shorter first. */
static int
entry_compare(const struct entry *a, const struct entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    size_t common = a->key_size < b->key_size ? a->key_size : b->key_size;
    if (common > sizeof(a->prefix)) {
        int order = memcmp(a->key + sizeof(a->prefix), b->key + sizeof(b->prefix),
                           common - sizeof(a->prefix));
        if (order != 0)
            return order;
    }
    return (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

static void
sort_run(struct entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct entry moving = entries[i];
        size_t to = i;
        for (; to > 0 && entry_compare(&entries[to - 1], &moving) > 0; to--)
            entries[to] = entries[to - 1];
        entries[to] = moving;
    }
}

/* Merges two sorted neighbours, `from` to `middle` and `middle` to `end`, into the same places of
 * `out`; of equal keys those of the first stay first. */
static void
merge_runs(const struct entry *entries, size_t from, size_t middle, size_t end, struct entry *out)
{
    size_t left = from;
    size_t right = middle;
    for (size_t to = from; to < end; to++) {
        bool take_left =
            right == end || (left < middle && entry_compare(&entries[left], &entries[right]) <= 0);
        out[to] = entries[take_left ? left++ : right++];
    }
}

/* Sorts in `entries` and `scratch`, both of `count`; returns the one that holds the result. */
static struct entry *
sort_entries(struct entry *entries, size_t count, struct entry *scratch)
{
    for (size_t from = 0; from < count; from += RUN_ENTRIES)
        sort_run(entries + from, count - from < RUN_ENTRIES ? count - from : RUN_ENTRIES);
    for (size_t width = RUN_ENTRIES; width < count; width *= 2) {
        for (size_t from = 0; from < count; from += 2 * width) {
            size_t middle = count - from < width ? count : from + width;
            size_t end = count - from < 2 * width ? count : from + 2 * width;
            merge_runs(entries, from, middle, end, scratch);
        }
        struct entry *swap = entries;
        entries = scratch;
        scratch = swap;
    }
    return entries;
}

static bool
is_sorted(const struct entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (entry_compare(&entries[i - 1], &entries[i]) > 0)
            return false;
    }
    return true;
}

/* Room for `count` entries: `on_stack` if that is enough, else from the arena, NULL if that is
 * exhausted. */
static struct entry *
entries_room(struct arena *arena, size_t count, struct entry *on_stack)
{
    return count <= ENTRIES_ON_STACK ? on_stack : arena_alloc(arena, count * sizeof(struct entry));
}

/* Sorts `entries` in place or into the arena. NULL if that is exhausted. */
static const struct entry *
entries_in_order(struct arena *arena, struct entry *entries, size_t count)
{
    if (is_sorted(entries, count))
        return entries;
    if (count <= RUN_ENTRIES) {
        sort_run(entries, count);
        return entries;
    }
    struct entry *scratch = arena_alloc(arena, count * sizeof(struct entry));
    return scratch != NULL ? sort_entries(entries, count, scratch) : NULL;
}

/* True if the entry after this one has the same key and so replaces it. */
static bool
is_replaced(const struct entry *entries, size_t count, size_t index)
{
    return index + 1 < count && entry_compare(&entries[index], &entries[index + 1]) == 0;
}

static void
add_string(struct text *text, const char *string)
{
    text_add(text, arena_string(string));
}

/* "map[string]string{a: 1,b: 2,}" */
static void
add_string_map(struct text *text, struct arena *arena, const StringMap *map)
{
    struct entry on_stack[ENTRIES_ON_STACK];
    struct entry *entries = entries_room(arena, map->n_value, on_stack);
    if (entries == NULL)
        return;
    for (size_t i = 0; i < map->n_value; i++)
        entries[i] = entry_make(map->value[i]->key, map->value[i]->value);
    const struct entry *sorted = entries_in_order(arena, entries, map->n_value);
    if (sorted == NULL)
        return;
    text_add_literal(text, "map[string]string{");
    for (size_t i = 0; i < map->n_value; i++) {
        if (is_replaced(sorted, map->n_value, i))
            continue;
        text_add_bytes(text, sorted[i].key, sorted[i].key_size);
        text_add_literal(text, ": ");
        add_string(text, sorted[i].value);
        text_add_byte(text, ',');
    }
    text_add_byte(text, '}');
}

/* "[10 0 0 1]" */
static void
add_byte_list(struct text *text, const ProtobufCBinaryData *bytes)
{
    text_add_byte(text, '[');
    for (size_t i = 0; i < bytes->len; i++) {
        if (i > 0)
            text_add_byte(text, ' ');
        text_add_u64(text, bytes->data[i]);
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
add_timestamp(struct text *text, const Google__Protobuf__Timestamp *timestamp)
{
    if (timestamp != NULL)
        go_time_add_timestamp(text, timestamp->seconds, timestamp->nanos);
    else
        go_time_add_no_timestamp(text);
}

static void
add_duration(struct text *text, const Google__Protobuf__Duration *duration)
{
    if (duration != NULL)
        go_time_add_duration(text, duration->seconds, duration->nanos);
    else
        go_time_add_no_duration(text);
}

/* The Go adapter unwraps strings and numbers; all other kinds appear as gogo prints the oneof's
 * member. */
static void
add_value(struct text *text, struct arena *arena, const Value *value)
{
    switch (value != NULL ? value->value_case : ISTIO__POLICY__V1BETA1__VALUE__VALUE__NOT_SET) {
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE__NOT_SET:
        text_add_literal(text, "<nil>");
        return;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_STRING_VALUE:
        add_string(text, value->string_value);
        return;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_INT64_VALUE:
        text_add_i64(text, value->int64_value);
        return;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_DOUBLE_VALUE:
        add_double(text, value->double_value);
        return;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_BOOL_VALUE:
        if (value->bool_value)
            text_add_literal(text, "&Value_BoolValue{BoolValue:true,}");
        else
            text_add_literal(text, "&Value_BoolValue{BoolValue:false,}");
        return;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_IP_ADDRESS_VALUE:
        text_add_literal(text, "&Value_IpAddressValue{IpAddressValue:&IPAddress{Value:");
        add_byte_list(text, &value->ip_address_value->value);
        break;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_TIMESTAMP_VALUE:
        text_add_literal(text, "&Value_TimestampValue{TimestampValue:&TimeStamp{Value:");
        add_timestamp(text, value->timestamp_value->value);
        break;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_DURATION_VALUE:
        text_add_literal(text, "&Value_DurationValue{DurationValue:&Duration{Value:");
        add_duration(text, value->duration_value->value);
        break;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_EMAIL_ADDRESS_VALUE:
        text_add_literal(text, "&Value_EmailAddressValue{EmailAddressValue:&EmailAddress{Value:");
        add_string(text, value->email_address_value->value);
        break;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_DNS_NAME_VALUE:
        text_add_literal(text, "&Value_DnsNameValue{DnsNameValue:&DNSName{Value:");
        add_string(text, value->dns_name_value->value);
        break;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_URI_VALUE:
        text_add_literal(text, "&Value_UriValue{UriValue:&Uri{Value:");
        add_string(text, value->uri_value->value);
        break;
    case ISTIO__POLICY__V1BETA1__VALUE__VALUE_STRING_MAP_VALUE:
        text_add_literal(text, "&Value_StringMapValue{StringMapValue:&StringMap{Value:");
        add_string_map(text, arena, value->string_map_value);
        break;
    }
    text_add_literal(text, ",},}");
}

/* "map[k:v k2:v2]" */
static void
add_dimensions(struct text *text, struct arena *arena, const Metric__InstanceMsg *instance)
{
    struct entry on_stack[ENTRIES_ON_STACK];
    size_t count = instance->n_dimensions;
    struct entry *entries = entries_room(arena, count, on_stack);
    if (entries == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        entries[i] = entry_make(instance->dimensions[i]->key, instance->dimensions[i]->value);
    const struct entry *sorted = entries_in_order(arena, entries, count);
    if (sorted == NULL)
        return;
    text_add_literal(text, "map[");
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if (is_replaced(sorted, count, i))
            continue;
        if (!is_first)
            text_add_byte(text, ' ');
        is_first = false;
        text_add_bytes(text, sorted[i].key, sorted[i].key_size);
        text_add_byte(text, ':');
        add_value(text, arena, sorted[i].value);
    }
    text_add_byte(text, ']');
}

static void
add_instance(struct text *text, struct arena *arena, const Metric__InstanceMsg *instance)
{
    text_add_byte(text, '\'');
    add_string(text, instance->name);
    text_add_literal(text, "':\n  {\n\t\tValue = ");
    add_value(text, arena, instance->value);
    text_add_literal(text, "\n\t\tDimensions = ");
    add_dimensions(text, arena, instance);
    text_add_literal(text, "\n  }");
}

int
go_text_render(struct text *text, struct arena *arena, const struct request *request,
               enum go_text_ending ending)
{
    text_add_literal(text, "HandleMetric invoked with:\n  Adapter config: &Params{FilePath:");
    text_add(text, request->file_path);
    text_add_literal(text, ",}\n  Instances: ");
    for (size_t i = 0; i < request->message->n_instances; i++)
        add_instance(text, arena, request->message->instances[i]);
    text_add_byte(text, '\n');
    if (ending == GO_TEXT_FOR_STDOUT)
        text_add_byte(text, '\n');
    if (arena_exhausted(arena))
        return -ENOMEM;
    return text_overflowed(text) ? -EMSGSIZE : 0;
}
