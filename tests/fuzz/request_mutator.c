/* request_mutator.c -- mutates requests as trees.
 *
 * libFuzzer changes bytes, and a byte put into a dimension's key makes five lengths around it
 * wrong: what comes out is refused at once. Here, two times in three, a field is chosen at any
 * depth, it or its bytes are changed, and the lengths around it are put right. The rest is left to
 * libFuzzer, so that malformed requests are tried as well.
 */
#include "tests/fuzz/request_tree.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define WORK_BYTES (256U << 10)
#define FIELDS_MAX 512U
#define COPIES_MAX 100U
#define NEW_BYTES_MAX 24U

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

enum change { CHANGE_BYTES, CHANGE_REMOVE, CHANGE_MULTIPLY, CHANGE_ADD, CHANGE_COPY, CHANGES };

/* The way to a place: the fields it lies in, from the outermost on. */
struct place {
    struct tree_field around[TREE_DEPTH_MAX];
    size_t depth;
    enum tree_message message; /* of which `fields` are */
    struct tree_field fields[FIELDS_MAX];
    size_t count;
};

static uint64_t random_state;

static size_t
random_below(size_t end)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return end == 0 ? 0 : (size_t)(random_state >> 33) % end;
}

/* Lists the fields of the message at [at, end), as far as they can be read. */
static void
list_fields(struct place *place, const uint8_t *wire, size_t at, size_t end)
{
    place->count = 0;
    while (at < end && place->count < FIELDS_MAX &&
           tree_read(wire, at, end, place->message, &place->fields[place->count]))
        at = place->fields[place->count++].end;
}

/* Goes down from the request, into fields chosen at random, and stops somewhere. */
static void
choose_place(struct place *place, const uint8_t *wire, size_t size)
{
    place->depth = 0;
    place->message = TREE_REQUEST;
    list_fields(place, wire, 0, size);
    while (place->count > 0 && place->depth < TREE_DEPTH_MAX && random_below(5) > 0) {
        struct tree_field field = place->fields[random_below(place->count)];
        if (field.known == NULL || field.known->child == TREE_LEAF)
            return;
        place->around[place->depth++] = field;
        place->message = field.known->child;
        list_fields(place, wire, field.body, field.end);
    }
}

/* Puts `piece` in the place of [from, to), and the lengths of the fields around it right. Returns
 * the new size, or 0 if there is no room. */
static size_t
replace(uint8_t *wire, size_t size, size_t size_max, const struct place *place, size_t from,
        size_t to, const uint8_t *piece, size_t piece_bytes)
{
    if (size - (to - from) + piece_bytes + 5 * place->depth > size_max)
        return 0;
    memmove(wire + from + piece_bytes, wire + to, size - to);
    if (piece_bytes > 0)
        memcpy(wire + from, piece, piece_bytes);
    size += piece_bytes - (to - from);
    size_t grown = piece_bytes - (to - from); /* modulo 2^64, as sizes are */
    for (size_t i = place->depth; i > 0; i--) {
        const struct tree_field *field = &place->around[i - 1];
        uint8_t length[10];
        size_t length_bytes = tree_put_varint(length, field->end - field->body + grown);
        size_t before = field->body - field->length_at;
        memmove(wire + field->length_at + length_bytes, wire + field->body, size - field->body);
        memcpy(wire + field->length_at, length, length_bytes);
        size += length_bytes - before;
        grown += length_bytes - before;
    }
    return size;
}

/* A field that the message may have, with a few bytes in it. */
static size_t
make_field(uint8_t *to, enum tree_message message)
{
    static const uint8_t numbers[] = {0, 1, 0x7f, 0x80, 0xff};
    const struct tree_known *known;
    do
        known = &tree_fields[random_below(tree_field_count)];
    while (known->in != message);
    size_t size = tree_put_varint(to, (uint64_t)known->number << 3 | known->wire_type);
    if (known->wire_type == 0)
        return size + tree_put_varint(to + size, random_state >> random_below(64));
    size_t bytes = known->wire_type == 1       ? 8
                   : known->child == TREE_LEAF ? random_below(NEW_BYTES_MAX)
                                               : 0;
    if (known->wire_type == 2)
        size += tree_put_varint(to + size, bytes);
    for (size_t i = 0; i < bytes; i++)
        to[size++] = random_below(4) == 0 ? numbers[random_below(sizeof(numbers))]
                                          : (uint8_t)('a' + random_below(26));
    return size;
}

/* Several copies of a field, each with another last byte. */
static size_t
multiply(uint8_t *to, const uint8_t *wire, const struct tree_field *field)
{
    size_t bytes = field->end - field->start;
    size_t copies = 2 + random_below(random_below(2) == 0 ? 4 : COPIES_MAX);
    size_t size = 0;
    for (size_t i = 0; i < copies && size + bytes <= WORK_BYTES; i++) {
        memcpy(to + size, wire + field->start, bytes);
        if (field->end > field->body)
            to[size + (field->body - field->start) + random_below(field->end - field->body)] ^=
                (uint8_t)(random_below(3) == 0 ? random_below(256) : 0);
        size += bytes;
    }
    return size;
}

/* Changes one thing at the place. Returns the new size, 0 if nothing came of it. */
static size_t
change(uint8_t *wire, size_t size, size_t size_max, const struct place *place)
{
    static uint8_t piece[WORK_BYTES];
    size_t end = place->depth > 0 ? place->around[place->depth - 1].end : size;
    enum change what = (enum change)random_below(CHANGES);
    if (place->count == 0 || what == CHANGE_ADD) {
        size_t at = place->count > 0 ? place->fields[random_below(place->count)].start : end;
        return replace(wire, size, size_max, place, at, at, piece,
                       make_field(piece, place->message));
    }
    const struct tree_field *field = &place->fields[random_below(place->count)];
    const struct tree_field *other = &place->fields[random_below(place->count)];
    struct place inside = *place;
    size_t bytes = field->end - field->body;
    switch (what) {
    case CHANGE_BYTES:
        memcpy(piece, wire + field->body, bytes);
        bytes = LLVMFuzzerMutate(piece, bytes, bytes + NEW_BYTES_MAX);
        if (field->wire_type == 2 && inside.depth < TREE_DEPTH_MAX)
            inside.around[inside.depth++] = *field;
        return replace(wire, size, size_max, &inside, field->body, field->end, piece, bytes);
    case CHANGE_REMOVE:
        return replace(wire, size, size_max, place, field->start, field->end, NULL, 0);
    case CHANGE_MULTIPLY:
        return replace(wire, size, size_max, place, field->start, field->end, piece,
                       multiply(piece, wire, field));
    case CHANGE_COPY:
        memcpy(piece, wire + other->start, other->end - other->start);
        return replace(wire, size, size_max, place, field->start, field->start, piece,
                       other->end - other->start);
    case CHANGE_ADD:
    case CHANGES:
        break;
    }
    return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    static uint8_t work[WORK_BYTES];
    static struct place place;
    random_state = seed;
    if (random_below(3) == 0 || size_max > WORK_BYTES)
        return LLVMFuzzerMutate(data, size, size_max);
    memcpy(work, data, size);
    size_t changed = size;
    for (size_t changes = 1 + random_below(3); changes > 0 && changed > 0; changes--) {
        choose_place(&place, work, changed);
        changed = change(work, changed, size_max, &place);
    }
    if (changed == 0)
        return LLVMFuzzerMutate(data, size, size_max);
    memcpy(data, work, changed);
    return changed;
}
