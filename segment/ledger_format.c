/* ledger_format.c -- encodes, verifies and decodes the records of ledgers; ledger_format.h has the
 * layout. Runs in the collector and in `mygrpcadapter segments`; touches no file. */
#include "segment/ledger_format.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/invariant.h"

#define NAME_PREFIX "ledger-"
#define NAME_DIGITS 32U
#define CHECKSUM_BYTES 8U

void
ledger_name_format(char name[static LEDGER_NAME_BYTES_MAX], enum segment_kind kind,
                   struct bytes output_name)
{
    XXH128_hash_t hash =
        XXH3_128bits_withSeed(output_name.data, output_name.size, (XXH64_hash_t)kind);
    int length = snprintf(name, LEDGER_NAME_BYTES_MAX, NAME_PREFIX "%016llx%016llx",
                          (unsigned long long)hash.high64, (unsigned long long)hash.low64);
    INVARIANT(length > 0 && length < (int)LEDGER_NAME_BYTES_MAX);
}

bool
ledger_name_is(const char *name)
{
    size_t prefix = strlen(NAME_PREFIX);
    return strncmp(name, NAME_PREFIX, prefix) == 0 &&
           strspn(name + prefix, "0123456789abcdef") == NAME_DIGITS &&
           name[prefix + NAME_DIGITS] == '\0';
}

/* Where the positions begin, in a record of version 1. */
static size_t
positions_offset(size_t name_bytes)
{
    return sizeof(struct ledger_header) + ((name_bytes + 7) & ~(size_t)7);
}

/* Bytes of a record of that version; 0 if there is no such version. */
static size_t
record_bytes_in(uint32_t version, size_t name_bytes, size_t position_count)
{
    switch (version) {
    case 1:
        return positions_offset(name_bytes) + position_count * sizeof(struct ledger_position) +
               CHECKSUM_BYTES;
    default:
        return 0;
    }
}

size_t
ledger_record_bytes(size_t name_bytes, size_t position_count)
{
    return record_bytes_in(LEDGER_VERSION, name_bytes, position_count);
}

/* Of the record of `size` bytes, the last of which are its checksum. */
static uint64_t
checksum(const unsigned char *record, size_t size)
{
    return XXH3_64bits(record, size - CHECKSUM_BYTES);
}

static void
put_checksum(unsigned char *record, size_t size)
{
    le64_put(record + size - CHECKSUM_BYTES, checksum(record, size));
}

/* The layout of version 1, but for the checksum. */
static void
encode(unsigned char *record, size_t size, const struct ledger_state *state)
{
    struct ledger_header *header = (void *)record;
    memcpy(header->magic, LEDGER_MAGIC, sizeof(header->magic));
    le32_put(header->version, LEDGER_VERSION);
    le32_put(header->record_bytes, (uint32_t)size);
    le64_put(header->generation, state->generation);
    le64_put(header->device, state->mark.device);
    le64_put(header->inode, state->mark.inode);
    le64_put(header->offset, state->mark.offset);
    le64_put(header->length, state->mark.length);
    le16_put(header->kind, (uint16_t)state->kind);
    le16_put(header->name_bytes, (uint16_t)state->name.size);
    le32_put(header->position_count, (uint32_t)state->position_count);
    if (state->name.size > 0)
        memcpy(record + sizeof(*header), state->name.data, state->name.size);
    unsigned char *at = record + positions_offset(state->name.size);
    for (size_t i = 0; i < state->position_count; i++, at += sizeof(struct ledger_position)) {
        memcpy(at, &state->positions[i].id, sizeof(state->positions[i].id));
        le64_put(at + offsetof(struct ledger_position, offset), state->positions[i].offset);
    }
}

void
ledger_record_encode(unsigned char *record, const struct ledger_state *state)
{
    size_t size = ledger_record_bytes(state->name.size, state->position_count);
    INVARIANT(state->name.size < SEGMENT_DESTINATION_BYTES_MAX && size <= LEDGER_BLOCK_BYTES);
    memset(record, 0, size);
    encode(record, size, state);
    put_checksum(record, size);
}

size_t
ledger_header_judge(const struct ledger_header *header)
{
    if (memcmp(header->magic, LEDGER_MAGIC, sizeof(header->magic)) != 0)
        return 0;
    size_t name_bytes = le16_get(header->name_bytes);
    size_t size =
        record_bytes_in(le32_get(header->version), name_bytes, le32_get(header->position_count));
    return name_bytes < SEGMENT_DESTINATION_BYTES_MAX && size <= LEDGER_BLOCK_BYTES &&
                   le32_get(header->record_bytes) == size
               ? size
               : 0;
}

bool
ledger_record_is_whole(const unsigned char *record, size_t size)
{
    const struct ledger_header *header = (const void *)record;
    return size >= sizeof(*header) && ledger_header_judge(header) == size &&
           le64_get(record + size - CHECKSUM_BYTES) == checksum(record, size);
}

/* What a record of version 1 says. */
static void
decode_version_1(struct ledger_state *state_r, unsigned char *record)
{
    const struct ledger_header *header = (const void *)record;
    size_t name_bytes = le16_get(header->name_bytes);
    size_t count = le32_get(header->position_count);
    struct ledger_position *positions = (void *)(record + positions_offset(name_bytes));
    for (size_t i = 0; i < count; i++)
        positions[i].offset = le64toh(positions[i].offset);
    *state_r = (struct ledger_state){
        .generation = le64_get(header->generation),
        .kind = (enum segment_kind)le16_get(header->kind),
        .name = {(const char *)record + sizeof(*header), name_bytes},
        .mark = {.device = le64_get(header->device),
                 .inode = le64_get(header->inode),
                 .offset = le64_get(header->offset),
                 .length = le64_get(header->length)},
        .positions = positions,
        .position_count = count,
    };
}

void
ledger_record_decode(struct ledger_state *state_r, unsigned char *record)
{
    const struct ledger_header *header = (const void *)record;
    uint32_t version = le32_get(header->version);
    INVARIANT(record_bytes_in(version, 0, 0) != 0);
    switch (version) {
    case 1:
        decode_version_1(state_r, record);
        break;
    default:
        break;
    }
}

uint64_t
ledger_record_generation(const unsigned char *record)
{
    const struct ledger_header *header = (const void *)record;
    return le64_get(header->generation);
}

void
ledger_record_settle(unsigned char *record, uint64_t generation)
{
    struct ledger_header *header = (void *)record;
    le64_put(header->generation, generation);
    le64_put(header->length, 0);
    put_checksum(record, le32_get(header->record_bytes));
}
