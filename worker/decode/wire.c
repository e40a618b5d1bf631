/* wire.c -- the uncommon cases of reading the wire format, and saying what was wrong. Runs in a
 * worker. */
#include "worker/decode/wire.h"

#include <inttypes.h>
#include <stdio.h>

#include "worker/call_refusal.h"

#define VARINT_BYTES_MAX 10

void
wire_fault_begin(struct wire_fault *fault, struct bytes bytes)
{
    fault->start = (const uint8_t *)bytes.data;
    fault->path_bytes = 0;
}

/* What does not fit the path is left out: no message of ours is so deep. */
static bool
prepend(struct wire_fault *fault, const char *text, size_t size)
{
    if (size <= sizeof(fault->path) - fault->path_bytes) {
        fault->path_bytes += size;
        memcpy(fault->path + sizeof(fault->path) - fault->path_bytes, text, size);
    }
    return false;
}

bool
wire_fault_in(struct wire_fault *fault, const char *name)
{
    if (fault->path_bytes > 0)
        (void)prepend(fault, ".", 1);
    return prepend(fault, name, strlen(name));
}

bool
wire_fault_in_item(struct wire_fault *fault, const char *name, size_t index)
{
    char item[WIRE_PATH_BYTES];
    (void)snprintf(item, sizeof(item), "%s[%zu]", name, index);
    return wire_fault_in(fault, item);
}

bool
wire_explain(const struct wire_fault *fault, struct call_refusal *refusal_r)
{
    int path_bytes = (int)fault->path_bytes;
    const char *path = fault->path + sizeof(fault->path) - fault->path_bytes;
    const char *colon = path_bytes > 0 ? ": " : "";
    size_t place = (size_t)(fault->at - fault->start);
    if (fault->what != NULL)
        return call_refuse(refusal_r, fault->cause, "%.*s%s%s at byte %zu", path_bytes, path, colon,
                           fault->what, place);
    return call_refuse(refusal_r, fault->cause,
                       "%.*s%slength %" PRIu64 " at byte %zu runs past the end", path_bytes, path,
                       colon, fault->length, place);
}

/* The number that a varint of up to 8 bytes says. Its first byte is the lowest of `bytes`, and
 * the bytes that it does not have are zero. The 7 bits of each byte are pushed together, those
 * of neighbours first. */
static uint64_t
gather_sevens(uint64_t bytes)
{
    uint64_t sevens = bytes & 0x7f7f7f7f7f7f7f7f;
    sevens = (sevens & 0x007f007f007f007f) | (sevens & 0x7f007f007f007f00) >> 1;
    sevens = (sevens & 0x00003fff00003fff) | (sevens & 0x3fff00003fff0000) >> 2;
    return (sevens & 0x000000000fffffff) | (sevens & 0x0fffffff00000000) >> 4;
}

struct wire_varint
wire_varint_long(struct wire_fault *fault, const uint8_t *at, const uint8_t *end, const char *what)
{
    const uint8_t *start = at;
    uint64_t number = 0;
    if (end - at >= 8) {
        uint64_t bytes = le64_get(at);
        /* Its lowest bit is that of the varint's last byte. */
        uint64_t last = ~bytes & 0x8080808080808080;
        if (last != 0) {
            uint64_t up_to_last = last ^ (last - 1);
            unsigned size = (unsigned)__builtin_ctzll(last) / 8 + 1;
            return (struct wire_varint){at + size, gather_sevens(bytes & up_to_last)};
        }
    }
    for (unsigned i = 0; i < VARINT_BYTES_MAX && at < end; i++) {
        uint8_t byte = *at++;
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return (struct wire_varint){.at = at, .number = number};
    }
    const struct wire wire = {.at = at, .end = end, .fault = fault};
    (void)wire_refuse(&wire, start, what);
    return (struct wire_varint){.at = NULL, .number = 0};
}

static bool
skip_fixed(struct wire *wire, ptrdiff_t size)
{
    if (wire->end - wire->at < size)
        return wire_refuse(wire, wire->at, "a fixed-size number is cut off");
    wire->at += size;
    return true;
}

/* A group is skipped to its end, other groups in it too. As in gogo, it does not matter what
 * numbers the fields in it have, nor which group a tag ends. */
const uint8_t *
wire_skip_value(struct wire_fault *fault, const struct wire_field *first, const uint8_t *at,
                const uint8_t *end)
{
    struct wire wire = {.at = at, .end = end, .fault = fault};
    struct wire_field field = *first;
    struct bytes ignored_bytes;
    uint64_t ignored;
    size_t depth = 0;
    do {
        if (depth > 0 && !wire_tag(&wire, &field))
            return NULL;
        bool ok = true;
        switch (field.type) {
        case WIRE_VARINT:
            ok = wire_number(&wire, &field, &ignored);
            break;
        case WIRE_FIXED64:
            ok = skip_fixed(&wire, 8);
            break;
        case WIRE_LENGTH:
            ok = wire_length(&wire, &ignored_bytes);
            break;
        case WIRE_GROUP:
            depth++;
            break;
        case WIRE_GROUP_END:
            depth -= depth > 0;
            break;
        case WIRE_FIXED32:
            ok = skip_fixed(&wire, 4);
            break;
        default:
            ok = wire_refuse(&wire, field.at, "an unknown wire type");
        }
        if (!ok)
            return NULL;
    } while (depth > 0);
    return wire.at;
}
