/* request_wire.h -- the messages of a HandleMetricRequest as a tree of bytes.
 *
 * For the request target only: it reads an encoded request by a table of its own (which field of which
 * message is a message), so that the mutator can change a field deep inside and keep all lengths
 * around it right, and so that the target can tell whether a message was given twice.
 */
#ifndef MYGRPCADAPTER_TESTS_FUZZ_REQUEST_WIRE_H
#define MYGRPCADAPTER_TESTS_FUZZ_REQUEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_DEPTH_MAX 8U

enum wire_message {
    WIRE_LEAF, /* no message */
    WIRE_REQUEST,
    WIRE_INSTANCE,
    WIRE_DIMENSION,
    WIRE_VALUE,
    WIRE_BYTES, /* wraps a string or bytes */
    WIRE_TIME,  /* wraps a WIRE_MOMENT */
    WIRE_MOMENT,
    WIRE_MAP,
    WIRE_MAP_ENTRY,
    WIRE_ANY,
    WIRE_PARAMS,
    WIRE_MESSAGES
};

/* A field that the table knows. */
struct wire_known {
    enum wire_message in;
    uint32_t number;
    unsigned wire_type;
    enum wire_message child; /* what it holds */
    bool repeated;
};

extern const struct wire_known wire_fields[];
extern const size_t wire_field_count;

/* An encoded field: tag at [start, body), or for a length-delimited one tag, length at `length_at`,
 * body at [body, end). */
struct wire_field {
    uint32_t number;
    unsigned wire_type;
    size_t start;
    size_t length_at;
    size_t body;
    size_t end;
    const struct wire_known *known; /* NULL if the table does not know it */
};

/* Reads the field of a `message` that begins at `at` and ends at or before `end`. False if it is
 * malformed, or of another wire type than the table has. */
bool wire_read(const uint8_t *wire, size_t at, size_t end, enum wire_message message,
               struct wire_field *field_r);

/* Writes a varint of at most 10 bytes; returns its size. */
size_t wire_put_varint(uint8_t *to, uint64_t value);

/* True if the bytes of a `message` are well-formed to the end, and a field in it that may come once
 * and is a message comes twice, or a field of a Value comes after another one that is a message. */
bool wire_gives_twice(const uint8_t *wire, size_t size, enum wire_message message);

#endif
