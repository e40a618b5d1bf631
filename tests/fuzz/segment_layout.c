/* segment_layout.c -- the layout of a segment, read and mended; segment_layout.h. */
#include "tests/fuzz/segment_layout.h"

#include <stddef.h>
#include <string.h>
#include <xxhash.h>

/* Of the header with its checksum, in the largest version. */
#define HEADER_BYTES 88U
#define PAGE_BYTES 4096U
#define NAME_BYTES_END 4096U
#define COMMON_LENGTHS 256U

/* Bytes of a header before its checksum. */
static uint64_t
header_bytes(uint64_t version)
{
    return version < 3 ? 72 : 80;
}

/* Bytes of a record before its body. */
static uint64_t
head_bytes(uint64_t version)
{
    return version == 1 ? 24 : 32;
}

static uint64_t
record_end(uint64_t version, uint64_t offset, uint64_t length)
{
    return (offset + head_bytes(version) + length + 7) / 8 * 8;
}

static uint64_t
record_checksum(const unsigned char *id, uint64_t version, uint64_t offset, const unsigned char *at)
{
    unsigned char place[16 + 8 + 16 + 8];
    size_t place_bytes = version == 1 ? 40 : 48;
    memcpy(place, id, 16);
    fuzz_put(place + 16, 8, offset);
    memcpy(place + 24, at, 16);
    if (version != 1)
        memcpy(place + 40, at + 24, 8);
    return XXH3_64bits_withSeed(at + head_bytes(version), fuzz_get(at, 4),
                                XXH3_64bits(place, place_bytes));
}

bool
layout_read(struct layout *layout, const struct fuzz_image *image,
            const struct segment_identity *identity)
{
    const unsigned char *at = image->bytes;
    if (image->size < PAGE_BYTES)
        return false;
    layout->id = at + 32;
    layout->version = fuzz_get(at + 8, 4);
    layout->first_sequence = fuzz_get(at + 64, 8);
    layout->file_bytes = fuzz_get(at + 48, 8);
    layout->durable = layout->version == 3 && fuzz_get(at + 72, 4) != 0;
    return memcmp(at, "mygrpcsg", 8) == 0 && layout->version >= 1 && layout->version <= 3 &&
           fuzz_get(at + 12, 4) == identity->slot &&
           fuzz_get(at + 16, 8) == identity->incarnation &&
           fuzz_get(at + 24, 8) == identity->number && layout->file_bytes >= PAGE_BYTES &&
           fuzz_get(at + header_bytes(layout->version), 8) ==
               XXH3_64bits(at, header_bytes(layout->version));
}

static bool
is_destination(uint64_t kind, const unsigned char *name, uint64_t name_bytes)
{
    if (kind == 1 || kind == 0xffff)
        return name_bytes == 0;
    if (kind != 2 || name_bytes == 0 || name_bytes >= NAME_BYTES_END)
        return false;
    for (uint64_t i = 0; i < name_bytes; i++) {
        if (name[i] == 0)
            return false;
    }
    return true;
}

/* Whether the bytes at `offset` are a record, of whatever sequence. */
static bool
is_record(const struct layout *layout, const struct fuzz_image *image, uint64_t offset)
{
    const unsigned char *at = image->bytes + offset;
    uint64_t head = head_bytes(layout->version);
    if (offset + head > image->size)
        return false;
    uint64_t length = fuzz_get(at, 4);
    uint64_t end = record_end(layout->version, offset, length);
    return length > 0 && end <= image->size && end <= layout->file_bytes &&
           fuzz_get(at + 6, 2) <= length &&
           fuzz_get(at + 16, 8) == record_checksum(layout->id, layout->version, offset, at) &&
           is_destination(fuzz_get(at + 4, 2), at + head, fuzz_get(at + 6, 2));
}

enum segment_next
layout_next(const struct layout *layout, const struct fuzz_image *image,
            struct segment_position position, struct segment_record *record_r,
            struct segment_position *next_r)
{
    const unsigned char *at = image->bytes + position.offset;
    uint64_t head = head_bytes(layout->version);
    if (layout->file_bytes - position.offset < head)
        return SEGMENT_NEXT_NONE;
    if (position.offset + head > image->size)
        return SEGMENT_NEXT_DAMAGED;
    if (fuzz_get(at, 8) == 0)
        return SEGMENT_NEXT_NONE;
    if (!is_record(layout, image, position.offset) || fuzz_get(at + 8, 8) != position.sequence)
        return SEGMENT_NEXT_DAMAGED;
    uint64_t length = fuzz_get(at, 4);
    uint64_t kind = fuzz_get(at + 4, 2);
    uint64_t name_bytes = fuzz_get(at + 6, 2);
    if (kind == 0xffff)
        return length == 8 && fuzz_get(at + head, 8) == position.sequence - layout->first_sequence
                   ? SEGMENT_NEXT_SEALED
                   : SEGMENT_NEXT_DAMAGED;
    const char *body = (const char *)at + head;
    record_r->kind = kind == 1 ? SEGMENT_STANDARD_OUTPUT : SEGMENT_FILE;
    record_r->name = (struct bytes){body, name_bytes};
    record_r->payload = (struct bytes){body + name_bytes, length - name_bytes};
    record_r->appended_ns = layout->version == 1 ? 0 : fuzz_get(at + 24, 8);
    next_r->offset = record_end(layout->version, position.offset, length);
    next_r->sequence = position.sequence + 1;
    return SEGMENT_NEXT_RECORD;
}

bool
layout_has_more(const struct layout *layout, const struct fuzz_image *image,
                struct segment_position position)
{
    uint64_t head = head_bytes(layout->version);
    if (layout->file_bytes != image->size)
        return true;
    for (uint64_t offset = position.offset; offset + head <= image->size; offset += 8) {
        if (fuzz_get(image->bytes + offset + 8, 8) > position.sequence &&
            is_record(layout, image, offset))
            return true;
    }
    return false;
}

void
layout_mend_header(struct fuzz_image *image)
{
    if (image->size < HEADER_BYTES)
        return;
    uint64_t bytes = header_bytes(fuzz_get(image->bytes + 8, 4));
    fuzz_put(image->bytes + bytes, 8, XXH3_64bits(image->bytes, bytes));
}

void
layout_name_header(struct fuzz_image *image, const struct segment_identity *identity,
                   uint64_t version)
{
    unsigned char *at = image->bytes;
    if (image->size < HEADER_BYTES)
        return;
    memcpy(at, "mygrpcsg", 8);
    fuzz_put(at + 8, 4, version);
    fuzz_put(at + 12, 4, identity->slot);
    fuzz_put(at + 16, 8, identity->incarnation);
    fuzz_put(at + 24, 8, identity->number);
    fuzz_put(at + 48, 8, image->size);
}

void
layout_mend_records(struct fuzz_image *image, unsigned what)
{
    if (image->size < PAGE_BYTES)
        return;
    const unsigned char *id = image->bytes + 32;
    uint64_t first_sequence = fuzz_get(image->bytes + 64, 8);
    uint64_t version = fuzz_get(image->bytes + 8, 4);
    uint64_t head = head_bytes(version);
    uint64_t sequence = first_sequence;
    for (uint64_t offset = PAGE_BYTES; offset + head <= image->size; sequence++) {
        unsigned char *at = image->bytes + offset;
        uint64_t length = fuzz_get(at, 4);
        if ((what & LAYOUT_MEND_LENGTH) != 0 && fuzz_get(at, 8) != 0) {
            length %= COMMON_LENGTHS;
            fuzz_put(at, 4, length);
        }
        uint64_t end = record_end(version, offset, length);
        if (fuzz_get(at, 8) == 0 || end > image->size)
            return;
        if ((what & LAYOUT_MEND_SEQUENCE) != 0)
            fuzz_put(at + 8, 8, sequence);
        if ((what & LAYOUT_MEND_SEAL) != 0 && fuzz_get(at + 4, 2) == 0xffff && length >= 8)
            fuzz_put(at + head, 8, fuzz_get(at + 8, 8) - first_sequence);
        fuzz_put(at + 16, 8, record_checksum(id, version, offset, at));
        offset = end;
    }
}
