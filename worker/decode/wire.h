/* wire.h -- reads the wire format of Protocol Buffers field by field, where it lies.
 *
 * As lenient and as strict as the decoders that gogo/protobuf generates for Go, which Mixer's
 * adapters are built with: tags, lengths and numbers may be overlong, up to 10 bytes, and what is
 * above 64 bits is dropped; of a field's number the lower 32 bits count; unknown fields are
 * skipped, groups among them. Nothing is copied, nothing recurses on what a client sent, and
 * nothing outside the bytes is read. Runs in a worker; keeps nothing.
 *
 * A function that meets a fault notes it in the struct wire_fault and returns false. On the way
 * back each level adds the name of its field with wire_in(): a good message pays nothing for it. A
 * struct wire is a local variable of whoever reads a message, so that it lives in registers.
 *
 *     while (wire_more(&wire)) {
 *         struct wire_field field;
 *         if (!wire_field(&wire, &field))
 *             return false;
 *         switch (field.number) {
 *         case 1:
 *             if (!wire_bytes(&wire, &field, &name))
 *                 return wire_in(&wire, "name");
 *             break;
 *         default:
 *             if (!wire_skip(&wire, &field))
 *                 return false;
 *         }
 *     }
 */
#ifndef MYGRPCADAPTER_WORKER_DECODE_WIRE_H
#define MYGRPCADAPTER_WORKER_DECODE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "common/refusal_causes.h"

struct call_refusal;

/* The low three bits of a tag; 6 and 7 are nothing. */
enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5
};

#define WIRE_PATH_BYTES 160

/* The first fault that was met. */
struct wire_fault {
    /* Where the bytes begin: places are told from here. */
    const uint8_t *start;

    /* For which cause the call is refused, and for what at which place. */
    enum refusal_cause cause;
    const uint8_t *at;

    /* NULL if it is that a length, `length`, runs past the end. */
    const char *what;
    uint64_t length;

    /* The names of the fields that the fault is in: the last `path_bytes` of `path`. */
    char path[WIRE_PATH_BYTES];
    size_t path_bytes;
};

/* A message that is being read. */
struct wire {
    const uint8_t *at;
    const uint8_t *end;
    struct wire_fault *fault;
};

/* A field whose tag has been read; its value is next. */
struct wire_field {
    /* Where the tag is. */
    const uint8_t *at;

    int32_t number;
    unsigned type;
};

/* Begins to read a message of `fault`'s bytes (wire_fault_begin()). */
static inline struct wire
wire_open(struct wire_fault *fault, struct bytes message)
{
    const uint8_t *at = (const uint8_t *)message.data;
    return (struct wire){.at = at, .end = at + message.size, .fault = fault};
}

/* Readies `fault` for `bytes`, from whose first byte places are told. */
void wire_fault_begin(struct wire_fault *fault, struct bytes bytes);

/* ---- what a reader calls at a fault; all return false */

/* Notes what is well-formed and refused all the same, for `cause`: a limit that is passed at
 * `at`. */
static inline bool
wire_refuse_for(const struct wire *wire, enum refusal_cause cause, const uint8_t *at,
                const char *what)
{
    wire->fault->cause = cause;
    wire->fault->what = what;
    wire->fault->at = at;
    return false;
}

/* Notes that what stands at `at` is malformed. */
static inline bool
wire_refuse(const struct wire *wire, const uint8_t *at, const char *what)
{
    return wire_refuse_for(wire, REFUSAL_MALFORMED, at, what);
}

/* The same for a length that is too long for the message around it. */
static inline bool
wire_refuse_length(const struct wire *wire, const uint8_t *at, uint64_t length)
{
    wire->fault->length = length;
    return wire_refuse(wire, at, NULL);
}

/* For wire_in() and wire_in_item(), and where no struct wire is at hand. */
bool wire_fault_in(struct wire_fault *fault, const char *name);
bool wire_fault_in_item(struct wire_fault *fault, const char *name, size_t index);

/* Puts the name of the field that the fault is in before the names that it has already; with its
 * index if the field is repeated. */
static inline bool
wire_in(const struct wire *wire, const char *name)
{
    return wire_fault_in(wire->fault, name);
}

static inline bool
wire_in_item(const struct wire *wire, const char *name, size_t index)
{
    return wire_fault_in_item(wire->fault, name, index);
}

/* Refuses the call for the fault, in words such as "instances[3].name: length 5 at byte 12 runs
 * past the end". Returns false. */
bool wire_explain(const struct wire_fault *fault, struct call_refusal *refusal_r);

/* ---- reading */

/* For the functions below: the uncommon cases. `at` is NULL after a fault. */
struct wire_varint {
    const uint8_t *at;
    uint64_t number;
};
struct wire_varint wire_varint_long(struct wire_fault *fault, const uint8_t *at, const uint8_t *end,
                                    const char *what);
const uint8_t *wire_skip_value(struct wire_fault *fault, const struct wire_field *field,
                               const uint8_t *at, const uint8_t *end);

/* True until the end of the message. */
static inline bool
wire_more(const struct wire *wire)
{
    return wire->at < wire->end;
}

/* Reads a varint; `what` is the fault if it is cut off or too long. */
static inline bool
wire_varint(struct wire *wire, const char *what, uint64_t *number_r)
{
    if (wire->at < wire->end && *wire->at < 0x80) {
        *number_r = *wire->at++;
        return true;
    }
    struct wire_varint varint = wire_varint_long(wire->fault, wire->at, wire->end, what);
    if (varint.at == NULL)
        return false;
    wire->at = varint.at;
    *number_r = varint.number;
    return true;
}

/* Reads any tag. */
static inline bool
wire_tag(struct wire *wire, struct wire_field *field_r)
{
    uint64_t tag;
    field_r->at = wire->at;
    if (!wire_varint(wire, "a tag is cut off or longer than 10 bytes", &tag))
        return false;
    field_r->number = (int32_t)(uint32_t)(tag >> 3);
    field_r->type = tag & 7;
    return true;
}

/* Reads the tag of a field of a message. */
static inline bool
wire_field(struct wire *wire, struct wire_field *field_r)
{
    if (!wire_tag(wire, field_r))
        return false;
    if (field_r->type == WIRE_GROUP_END)
        return wire_refuse(wire, field_r->at, "a group ends that did not begin");
    if (field_r->number <= 0)
        return wire_refuse(wire, field_r->at, "a field's number is not above 0");
    return true;
}

static inline bool
wire_check_type(struct wire *wire, const struct wire_field *field, enum wire_type type)
{
    return field->type == (unsigned)type ||
           wire_refuse(wire, field->at, "the wire type is not the field's");
}

/* Reads the number of a field of type int64, int32, bool or an enumeration. */
static inline bool
wire_number(struct wire *wire, const struct wire_field *field, uint64_t *number_r)
{
    return wire_check_type(wire, field, WIRE_VARINT) &&
           wire_varint(wire, "a number is cut off or longer than 10 bytes", number_r);
}

/* Reads a field of type fixed64 or double. */
static inline bool
wire_fixed64(struct wire *wire, const struct wire_field *field, uint64_t *number_r)
{
    if (!wire_check_type(wire, field, WIRE_FIXED64))
        return false;
    if (wire->end - wire->at < 8)
        return wire_refuse(wire, wire->at, "a fixed-size number is cut off");
    *number_r = le64_get(wire->at);
    wire->at += 8;
    return true;
}

/* Reads a length and steps over what it covers. */
static inline bool
wire_length(struct wire *wire, struct bytes *bytes_r)
{
    const uint8_t *at = wire->at;
    uint64_t length;
    if (!wire_varint(wire, "a length is cut off or longer than 10 bytes", &length))
        return false;
    if (length > (size_t)(wire->end - wire->at))
        return wire_refuse_length(wire, at, length);
    *bytes_r = (struct bytes){(const char *)wire->at, (size_t)length};
    wire->at += length;
    return true;
}

/* Reads a string or bytes: *bytes_r lies in what is being read. */
static inline bool
wire_bytes(struct wire *wire, const struct wire_field *field, struct bytes *bytes_r)
{
    return wire_check_type(wire, field, WIRE_LENGTH) && wire_length(wire, bytes_r);
}

/* Steps over the value of a field, whatever it is. */
static inline bool
wire_skip(struct wire *wire, const struct wire_field *field)
{
    const uint8_t *behind = wire_skip_value(wire->fault, field, wire->at, wire->end);
    if (behind == NULL)
        return false;
    wire->at = behind;
    return true;
}

/* ---- the entries of maps */

/* True if `message` is what nearly all entries are: field 1, then field 2, both of a type with a
 * length and shorter than 128 bytes, and nothing else. wire_tag() and wire_length() would read
 * the same. If false, *first_r and *second_r are untouched. */
static inline bool
wire_is_pair(struct bytes message, struct bytes *first_r, struct bytes *second_r)
{
    const uint8_t *at = (const uint8_t *)message.data;
    if (message.size < 4 || at[0] != (1 << 3 | WIRE_LENGTH) || at[1] >= 0x80 ||
        at[1] > message.size - 4)
        return false;
    size_t first_bytes = at[1];
    size_t second_bytes = message.size - 4 - first_bytes;
    at += 2 + first_bytes;
    if (at[0] != (2 << 3 | WIRE_LENGTH) || at[1] >= 0x80 || at[1] != second_bytes)
        return false;
    *first_r = (struct bytes){message.data + 2, first_bytes};
    *second_r = (struct bytes){message.data + 4 + first_bytes, second_bytes};
    return true;
}

/* Any other entry is read field by field, and gogo is more lenient with these fields than with
 * those of a message. It goes by the number of a field alone, whatever its wire type, and a
 * field may run past the entry, up to the end of the message around it; what stands behind the
 * entry is then read all the same.
 *
 * So an entry is read with wire_tag(), wire_length() and wire_skip_in_entry(), out of a struct
 * wire that ends where the message around the entry does, until the entry's own end is reached
 * or passed. */

/* Steps over the value of an unknown field of an entry that ends at `end`. This one may not run
 * past that. */
static inline bool
wire_skip_in_entry(struct wire *wire, const struct wire_field *field, const uint8_t *end)
{
    return wire_skip(wire, field) &&
           (wire->at <= end ||
            wire_refuse(wire, field->at, "a field runs past the map entry's end"));
}

#endif
