/* request_wire.c -- reads encoded requests for the request target; request_wire.h. */
#include "tests/fuzz/request_wire.h"

#include "tests/fuzz/fuzz.h"

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

const struct wire_known wire_fields[] = {
    {WIRE_REQUEST, 1, LENGTH, WIRE_INSTANCE, true},
    {WIRE_REQUEST, 2, LENGTH, WIRE_ANY, false},
    {WIRE_REQUEST, 3, LENGTH, WIRE_LEAF, false},
    {WIRE_INSTANCE, 1, LENGTH, WIRE_VALUE, false},
    {WIRE_INSTANCE, 2, LENGTH, WIRE_DIMENSION, true},
    {WIRE_INSTANCE, 3, LENGTH, WIRE_LEAF, false},
    {WIRE_INSTANCE, 4, LENGTH, WIRE_DIMENSION, true},
    {WIRE_INSTANCE, 72295727, LENGTH, WIRE_LEAF, false},
    {WIRE_DIMENSION, 1, LENGTH, WIRE_LEAF, false},
    {WIRE_DIMENSION, 2, LENGTH, WIRE_VALUE, false},
    {WIRE_VALUE, 1, LENGTH, WIRE_LEAF, false},
    {WIRE_VALUE, 2, VARINT, WIRE_LEAF, false},
    {WIRE_VALUE, 3, FIXED64, WIRE_LEAF, false},
    {WIRE_VALUE, 4, VARINT, WIRE_LEAF, false},
    {WIRE_VALUE, 5, LENGTH, WIRE_BYTES, false},
    {WIRE_VALUE, 6, LENGTH, WIRE_TIME, false},
    {WIRE_VALUE, 7, LENGTH, WIRE_TIME, false},
    {WIRE_VALUE, 8, LENGTH, WIRE_BYTES, false},
    {WIRE_VALUE, 9, LENGTH, WIRE_BYTES, false},
    {WIRE_VALUE, 10, LENGTH, WIRE_BYTES, false},
    {WIRE_VALUE, 11, LENGTH, WIRE_MAP, false},
    {WIRE_BYTES, 1, LENGTH, WIRE_LEAF, false},
    {WIRE_TIME, 1, LENGTH, WIRE_MOMENT, false},
    {WIRE_MOMENT, 1, VARINT, WIRE_LEAF, false},
    {WIRE_MOMENT, 2, VARINT, WIRE_LEAF, false},
    {WIRE_MAP, 1, LENGTH, WIRE_MAP_ENTRY, true},
    {WIRE_MAP_ENTRY, 1, LENGTH, WIRE_LEAF, false},
    {WIRE_MAP_ENTRY, 2, LENGTH, WIRE_LEAF, false},
    {WIRE_ANY, 1, LENGTH, WIRE_LEAF, false},
    {WIRE_ANY, 2, LENGTH, WIRE_PARAMS, false},
    {WIRE_PARAMS, 1, LENGTH, WIRE_LEAF, false},
};
const size_t wire_field_count = sizeof(wire_fields) / sizeof(wire_fields[0]);

static bool
read_varint(const uint8_t *wire, size_t *at, size_t end, size_t size_max, uint64_t *value_r)
{
    *value_r = 0;
    for (size_t i = 0; i < size_max && *at < end; i++) {
        uint8_t byte = wire[(*at)++];
        *value_r |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return false;
}

static const struct wire_known *
find_known(enum wire_message message, uint32_t number)
{
    for (size_t i = 0; i < wire_field_count; i++) {
        if (wire_fields[i].in == message && wire_fields[i].number == number)
            return &wire_fields[i];
    }
    return NULL;
}

bool
wire_read(const uint8_t *wire, size_t at, size_t end, enum wire_message message,
          struct wire_field *field_r)
{
    uint64_t tag;
    uint64_t value;
    field_r->start = at;
    if (!read_varint(wire, &at, end, 5, &tag) || tag >> 3 == 0)
        return false;
    field_r->number = (uint32_t)(tag >> 3);
    field_r->wire_type = tag & 7;
    field_r->known = find_known(message, field_r->number);
    if (field_r->known != NULL && field_r->known->wire_type != field_r->wire_type)
        return false;
    field_r->length_at = at;
    field_r->body = at;
    switch (field_r->wire_type) {
    case VARINT:
        field_r->end = at;
        return read_varint(wire, &field_r->end, end, 10, &value);
    case FIXED64:
        field_r->end = at + 8;
        return field_r->end <= end;
    case FIXED32:
        field_r->end = at + 4;
        return field_r->end <= end;
    case LENGTH:
        if (!read_varint(wire, &at, end, 5, &value) || value > end - at)
            return false;
        field_r->body = at;
        field_r->end = at + value;
        return true;
    default:
        return false;
    }
}

size_t
wire_put_varint(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

/* A message that wire_gives_twice() is inside of. */
struct level {
    enum wire_message message;
    size_t at;
    size_t end;
    uint32_t seen;           /* bit of each field number below 32 that is a message and came */
    bool has_message_member; /* of a Value: what it holds so far is a message */
};

/* Whether this field, a message or not, meets what came before. */
static bool
meets_another(struct level *level, const struct wire_field *field)
{
    const struct wire_known *known = field->known;
    if (known == NULL)
        return false;
    bool is_message = known->child != WIRE_LEAF && known->child != WIRE_PARAMS;
    if (level->message == WIRE_VALUE) {
        bool meets = level->has_message_member;
        level->has_message_member |= is_message;
        return meets;
    }
    if (!is_message || known->repeated)
        return false;
    uint32_t bit = UINT32_C(1) << known->number;
    bool meets = (level->seen & bit) != 0;
    level->seen |= bit;
    return meets;
}

bool
wire_gives_twice(const uint8_t *wire, size_t size, enum wire_message message)
{
    struct level levels[WIRE_DEPTH_MAX] = {{.message = message, .end = size}};
    size_t depth = 1;
    bool twice = false;
    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        struct wire_field field;
        if (level->at == level->end) {
            depth--;
            continue;
        }
        if (!wire_read(wire, level->at, level->end, level->message, &field))
            return false;
        twice |= meets_another(level, &field);
        level->at = field.end;
        if (field.known == NULL || field.known->child == WIRE_LEAF ||
            field.known->child == WIRE_PARAMS) /* decoded separately, later */
            continue;
        FUZZ_CHECK(depth < WIRE_DEPTH_MAX);
        levels[depth++] =
            (struct level){.message = field.known->child, .at = field.body, .end = field.end};
    }
    return twice;
}
