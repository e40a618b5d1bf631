/* request_tree.c -- reads encoded requests for the request target; request_tree.h. */
#include "tests/fuzz/request_tree.h"

#include "tests/fuzz/fuzz.h"

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

const struct tree_known tree_fields[] = {
    {TREE_REQUEST, 1, LENGTH, TREE_INSTANCE, true},
    {TREE_REQUEST, 2, LENGTH, TREE_ANY, false},
    {TREE_REQUEST, 3, LENGTH, TREE_LEAF, false},
    {TREE_INSTANCE, 1, LENGTH, TREE_VALUE, false},
    {TREE_INSTANCE, 2, LENGTH, TREE_DIMENSION, true},
    {TREE_INSTANCE, 3, LENGTH, TREE_LEAF, false},
    {TREE_INSTANCE, 4, LENGTH, TREE_DIMENSION, true},
    {TREE_INSTANCE, 72295727, LENGTH, TREE_LEAF, false},
    {TREE_DIMENSION, 1, LENGTH, TREE_LEAF, false},
    {TREE_DIMENSION, 2, LENGTH, TREE_VALUE, false},
    {TREE_VALUE, 1, LENGTH, TREE_LEAF, false},
    {TREE_VALUE, 2, VARINT, TREE_LEAF, false},
    {TREE_VALUE, 3, FIXED64, TREE_LEAF, false},
    {TREE_VALUE, 4, VARINT, TREE_LEAF, false},
    {TREE_VALUE, 5, LENGTH, TREE_BYTES, false},
    {TREE_VALUE, 6, LENGTH, TREE_TIME, false},
    {TREE_VALUE, 7, LENGTH, TREE_TIME, false},
    {TREE_VALUE, 8, LENGTH, TREE_BYTES, false},
    {TREE_VALUE, 9, LENGTH, TREE_BYTES, false},
    {TREE_VALUE, 10, LENGTH, TREE_BYTES, false},
    {TREE_VALUE, 11, LENGTH, TREE_MAP, false},
    {TREE_BYTES, 1, LENGTH, TREE_LEAF, false},
    {TREE_TIME, 1, LENGTH, TREE_MOMENT, false},
    {TREE_MOMENT, 1, VARINT, TREE_LEAF, false},
    {TREE_MOMENT, 2, VARINT, TREE_LEAF, false},
    {TREE_MAP, 1, LENGTH, TREE_MAP_ENTRY, true},
    {TREE_MAP_ENTRY, 1, LENGTH, TREE_LEAF, false},
    {TREE_MAP_ENTRY, 2, LENGTH, TREE_LEAF, false},
    {TREE_ANY, 1, LENGTH, TREE_LEAF, false},
    {TREE_ANY, 2, LENGTH, TREE_PARAMS, false},
    {TREE_PARAMS, 1, LENGTH, TREE_LEAF, false},
};
const size_t tree_field_count = sizeof(tree_fields) / sizeof(tree_fields[0]);

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

static const struct tree_known *
find_known(enum tree_message message, uint32_t number)
{
    for (size_t i = 0; i < tree_field_count; i++) {
        if (tree_fields[i].in == message && tree_fields[i].number == number)
            return &tree_fields[i];
    }
    return NULL;
}

bool
tree_read(const uint8_t *wire, size_t at, size_t end, enum tree_message message,
          struct tree_field *field_r)
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
tree_put_varint(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

/* A message that tree_gives_twice() is inside of. */
struct level {
    enum tree_message message;
    size_t at;
    size_t end;
    uint32_t seen;           /* bit of each field number below 32 that is a message and came */
    bool has_message_member; /* of a Value: what it holds so far is a message */
};

/* Whether this field, a message or not, meets what came before. */
static bool
meets_another(struct level *level, const struct tree_field *field)
{
    const struct tree_known *known = field->known;
    if (known == NULL)
        return false;
    bool is_message = known->child != TREE_LEAF && known->child != TREE_PARAMS;
    if (level->message == TREE_VALUE) {
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
tree_gives_twice(const uint8_t *wire, size_t size, enum tree_message message)
{
    struct level levels[TREE_DEPTH_MAX] = {{.message = message, .end = size}};
    size_t depth = 1;
    bool twice = false;
    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        struct tree_field field;
        if (level->at == level->end) {
            depth--;
            continue;
        }
        if (!tree_read(wire, level->at, level->end, level->message, &field))
            return false;
        twice |= meets_another(level, &field);
        level->at = field.end;
        if (field.known == NULL || field.known->child == TREE_LEAF ||
            field.known->child == TREE_PARAMS) /* decoded separately, later */
            continue;
        FUZZ_CHECK(depth < TREE_DEPTH_MAX);
        levels[depth++] =
            (struct level){.message = field.known->child, .at = field.body, .end = field.end};
    }
    return twice;
}
