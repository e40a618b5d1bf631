/* request_tree.h -- the messages of a HandleMetricRequest as a tree of bytes.
 *
 * For the request target only: it reads an encoded request by a table of its own (which field of
 * which message is a message), so that the mutator can change a field deep inside and keep all
 * lengths around it right, and so that the target can tell whether a message was given twice.
 */
#ifndef MYGRPCADAPTER_TESTS_FUZZ_REQUEST_TREE_H
#define MYGRPCADAPTER_TESTS_FUZZ_REQUEST_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_DEPTH_MAX 8U

enum tree_message {
    TREE_LEAF, /* no message */
    TREE_REQUEST,
    TREE_INSTANCE,
    TREE_DIMENSION,
    TREE_VALUE,
    TREE_BYTES, /* wraps a string or bytes */
    TREE_TIME,  /* wraps a TREE_MOMENT */
    TREE_MOMENT,
    TREE_MAP,
    TREE_MAP_ENTRY,
    TREE_ANY,
    TREE_PARAMS,
    TREE_MESSAGES
};

/* A field that the table knows. */
struct tree_known {
    enum tree_message in;
    uint32_t number;
    unsigned wire_type;
    enum tree_message child; /* what it holds */
    bool repeated;
};

extern const struct tree_known tree_fields[];
extern const size_t tree_field_count;

/* An encoded field: tag at [start, body), or for a length-delimited one tag, length at `length_at`,
 * body at [body, end). */
struct tree_field {
    uint32_t number;
    unsigned wire_type;
    size_t start;
    size_t length_at;
    size_t body;
    size_t end;
    const struct tree_known *known; /* NULL if the table does not know it */
};

/* Reads the field of a `message` that begins at `at` and ends at or before `end`. False if it is
 * malformed, or of another wire type than the table has. */
bool tree_read(const uint8_t *wire, size_t at, size_t end, enum tree_message message,
               struct tree_field *field_r);

/* Writes a varint of at most 10 bytes; returns its size. */
size_t tree_put_varint(uint8_t *to, uint64_t value);

/* True if the bytes of a `message` are well-formed to the end, and a field in it that may come once
 * and is a message comes twice, or a field of a Value comes after another one that is a message. */
bool tree_gives_twice(const uint8_t *wire, size_t size, enum tree_message message);

#endif
