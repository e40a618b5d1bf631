/* request.c -- decoding with protobuf-c, and finding the fault where it refuses.
 *
 * Runs in a worker. protobuf-c answers a bad request with NULL and no word. Only then the bytes are
 * walked a second time here, by the same descriptors and the same rules, to name the place. The
 * walk keeps a small stack of its own: nothing recurses on what a client sent, and nothing outside
 * the bytes is read.
 */
#include "worker/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <config.pb-c.h>
#include <metric.pb-c.h>

#include "common/invariant.h"
#include "worker/arena.h"

/* The low three bits of a tag (Protocol Buffers encoding). 3 and 4 are groups, 6 and 7 nothing. */
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* As protobuf-c has it: 32 bits for a tag and for a length, 64 for a number. */
#define TAG_BYTES_MAX 5
#define LENGTH_BYTES_MAX 5
#define VARINT_BYTES_MAX 10

/* Six are needed: request, instance, map entry, value, its wrapper, what that wraps. */
#define DEPTH_MAX 8

/* The most fields a message of ours has: Value's eleven. */
#define FIELDS_MAX 12

#define PATH_BYTES_MAX 160
#define FAULT_BYTES_MAX 96
#define TYPE_URL_SHOWN_MAX 96

/* A message that the walk is inside of. */
struct level {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *end;
    const ProtobufCFieldDescriptor *field; /* being read; NULL if it is unknown */
    uint32_t seen[FIELDS_MAX];             /* by index of the field: how often it came */
};

struct walk {
    const uint8_t *start;
    const uint8_t *at;
    struct level levels[DEPTH_MAX];
    size_t depth;
    char fault[FAULT_BYTES_MAX];
};

static bool
fault_at(struct walk *walk, const uint8_t *at, const char *what)
{
    (void)snprintf(walk->fault, sizeof(walk->fault), "%s at byte %zu", what,
                   (size_t)(at - walk->start));
    return false;
}

/* Reads a varint of at most `size_max` bytes. False, with `what` as the fault, if it is cut off or
 * longer. */
static bool
walk_varint(struct walk *walk, const uint8_t *end, size_t size_max, const char *what,
            uint64_t *number_r)
{
    const uint8_t *from = walk->at;
    uint64_t number = 0;
    for (size_t i = 0; i < size_max && walk->at < end; i++) {
        uint8_t byte = *walk->at++;
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *number_r = number;
            return true;
        }
    }
    return fault_at(walk, from, what);
}

static bool
walk_fixed(struct walk *walk, const uint8_t *end, size_t size)
{
    if ((size_t)(end - walk->at) < size)
        return fault_at(walk, walk->at, "a fixed-size number is cut off");
    walk->at += size;
    return true;
}

static enum wire_type
wire_type_of_field(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return WIRE_VARINT;
}

static void
walk_enter(struct walk *walk, const ProtobufCMessageDescriptor *type, const uint8_t *end)
{
    INVARIANT(walk->depth < DEPTH_MAX && type->n_fields <= FIELDS_MAX);
    walk->levels[walk->depth++] = (struct level){.type = type, .end = end};
}

/* Reads a length and steps over what it covers, or into it if it is a message. */
static bool
walk_length(struct walk *walk, const struct level *level)
{
    const uint8_t *from = walk->at;
    uint64_t length;
    if (!walk_varint(walk, level->end, LENGTH_BYTES_MAX,
                     "a length is cut off or longer than 5 bytes", &length))
        return false;
    if (length > (size_t)(level->end - walk->at)) {
        (void)snprintf(walk->fault, sizeof(walk->fault),
                       "length %" PRIu64 " at byte %zu runs past the end", length,
                       (size_t)(from - walk->start));
        return false;
    }
    if (level->field != NULL && level->field->type == PROTOBUF_C_TYPE_MESSAGE)
        walk_enter(walk, level->field->descriptor, walk->at + length);
    else
        walk->at += length;
    return true;
}

/* Reads one field of the innermost message. False, with the fault set, if protobuf-c would stop
 * here. */
static bool
walk_field(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    const uint8_t *from = walk->at;
    uint64_t tag;
    level->field = NULL;
    if (!walk_varint(walk, level->end, TAG_BYTES_MAX, "a tag is cut off or longer than 5 bytes",
                     &tag))
        return false;
    if (tag >> 3 == 0)
        return fault_at(walk, from, "a field has number 0");
    level->field = protobuf_c_message_descriptor_get_field(level->type, (unsigned)(tag >> 3));
    uint32_t wire_type = tag & 7;
    if (level->field != NULL) {
        level->seen[level->field - level->type->fields]++;
        if (wire_type != (uint32_t)wire_type_of_field(level->field))
            return fault_at(walk, from, "the wire type is not the field's");
    }
    uint64_t ignored;
    switch (wire_type) {
    case WIRE_VARINT:
        return walk_varint(walk, level->end, VARINT_BYTES_MAX,
                           "a number is cut off or longer than 10 bytes", &ignored);
    case WIRE_FIXED64:
        return walk_fixed(walk, level->end, 8);
    case WIRE_LENGTH:
        return walk_length(walk, level);
    case WIRE_FIXED32:
        return walk_fixed(walk, level->end, 4);
    default:
        return fault_at(walk, from, "a group or an unknown wire type");
    }
}

/* Walks `wire` as a message of `type`. False, with the fault set and the levels showing where, at
 * the first fault. */
static bool
walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type, struct bytes wire)
{
    walk->start = (const uint8_t *)wire.data;
    walk->at = walk->start;
    walk->depth = 0;
    walk_enter(walk, type, walk->start + wire.size);
    while (walk->depth > 0) {
        if (walk->at == walk->levels[walk->depth - 1].end)
            walk->depth--;
        else if (!walk_field(walk))
            return false;
    }
    return true;
}

/* The names of the fields that lead to the fault, "instances[3].value". */
static void
walk_path(const struct walk *walk, char path[PATH_BYTES_MAX])
{
    size_t used = 0;
    path[0] = '\0';
    for (size_t i = 0; i < walk->depth && walk->levels[i].field != NULL; i++) {
        const struct level *level = &walk->levels[i];
        const ProtobufCFieldDescriptor *field = level->field;
        used += (size_t)snprintf(path + used, PATH_BYTES_MAX - used, "%s%s", i > 0 ? "." : "",
                                 field->name);
        INVARIANT(used < PATH_BYTES_MAX);
        if (field->label != PROTOBUF_C_LABEL_REPEATED)
            continue;
        used += (size_t)snprintf(path + used, PATH_BYTES_MAX - used, "[%u]",
                                 level->seen[field - level->type->fields] - 1);
        INVARIANT(used < PATH_BYTES_MAX);
    }
}

/* Says why protobuf-c did not take `wire`. `where` names the bytes themselves, for the whole
 * request it is "". */
static int
explain(char reason[REQUEST_REASON_BYTES], const struct arena *arena, const char *where,
        const ProtobufCMessageDescriptor *type, struct bytes wire)
{
    if (arena_exhausted(arena)) {
        (void)snprintf(reason, REQUEST_REASON_BYTES,
                       "the request needs more than %zu bytes of memory to decode",
                       arena_limit_bytes(arena));
        return -ENOMEM;
    }
    struct walk walk = {0};
    char path[PATH_BYTES_MAX];
    if (walk_message(&walk, type, wire))
        (void)snprintf(walk.fault, sizeof(walk.fault),
                       "a message is given twice, and both cannot be merged");
    walk_path(&walk, path);
    (void)snprintf(reason, REQUEST_REASON_BYTES, "%s%s%s%s%s", where,
                   where[0] != '\0' && path[0] != '\0' ? "." : "", path,
                   where[0] != '\0' || path[0] != '\0' ? ": " : "", walk.fault);
    return -EBADMSG;
}

/* `raw` in printable ASCII, other bytes as \xHH, cut after TYPE_URL_SHOWN_MAX characters. */
static void
escape(char out[TYPE_URL_SHOWN_MAX + sizeof("...")], struct bytes raw)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < raw.size; i++) {
        unsigned char byte = (unsigned char)raw.data[i];
        bool plain = byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
        if (used + (plain ? 1 : 4) > TYPE_URL_SHOWN_MAX) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (plain) {
            out[used++] = (char)byte;
            continue;
        }
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = hex[byte >> 4];
        out[used++] = hex[byte & 15];
    }
    out[used] = '\0';
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

static int
decode_config(struct request *request, struct arena *arena, char reason[REQUEST_REASON_BYTES])
{
    static const struct bytes params_type = {REQUEST_PARAMS_TYPE, sizeof(REQUEST_PARAMS_TYPE) - 1};
    const Google__Protobuf__Any *config = request->message->adapter_config;
    if (config == NULL)
        return 0;
    request->config_type_url = arena_string(config->type_url);
    request->config_value =
        (struct bytes){.data = (const char *)config->value.data, .size = config->value.len};
    /* Mixer always says the type; who says none is not contradicted, as the Go adapter does not. */
    if (request->config_type_url.size > 0 &&
        !bytes_equal(type_of_url(request->config_type_url), params_type)) {
        char shown[TYPE_URL_SHOWN_MAX + sizeof("...")];
        escape(shown, request->config_type_url);
        (void)snprintf(reason, REQUEST_REASON_BYTES,
                       "adapter_config is of type \"%s\", not " REQUEST_PARAMS_TYPE, shown);
        return -EBADMSG;
    }
    const Adapter__Mygrpcadapter__Config__Params *params =
        adapter__mygrpcadapter__config__params__unpack(arena_allocator(arena), config->value.len,
                                                       config->value.data);
    if (params == NULL)
        return explain(reason, arena, "adapter_config.value",
                       &adapter__mygrpcadapter__config__params__descriptor, request->config_value);
    request->file_path = arena_string(params->file_path);
    return 0;
}

int
request_decode(struct request *request, struct arena *arena, struct bytes wire,
               char reason[REQUEST_REASON_BYTES])
{
    *request = (struct request){0};
    reason[0] = '\0';
    request->message = metric__handle_metric_request__unpack(arena_allocator(arena), wire.size,
                                                             (const uint8_t *)wire.data);
    if (request->message == NULL)
        return explain(reason, arena, "", &metric__handle_metric_request__descriptor, wire);
    return decode_config(request, arena, reason);
}
