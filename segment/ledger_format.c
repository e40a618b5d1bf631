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

/* Where the positions begin. */
static size_t
positions_offset(size_t name_bytes)
{
    return sizeof(struct ledger_header) + ((name_bytes + 7) & ~(size_t)7);
}

/* Bytes of a position in a record of that version; 0 if there is no such version. */
static size_t
position_bytes_in(uint32_t version)
{
    switch (version) {
    case 1:
        return LEDGER_POSITION_BYTES_V1;
    case 2:
        return sizeof(struct ledger_position_on_disk);
    default:
        return 0;
    }
}

/* Bytes of a record of that version; 0 if there is no such version. */
static size_t
record_bytes_in(uint32_t version, size_t name_bytes, size_t position_count)
{
    size_t position_bytes = position_bytes_in(version);
    return position_bytes == 0
               ? 0
               : positions_offset(name_bytes) + position_count * position_bytes + CHECKSUM_BYTES;
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

/* The layout, but for the checksum. */
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
    struct ledger_position_on_disk *to = (void *)(record + positions_offset(state->name.size));
    for (size_t i = 0; i < state->position_count; i++) {
        const struct ledger_position *from = &state->positions[i];
        to[i].id = from->id;
        le32_put(to[i].slot, from->identity.slot);
        le64_put(to[i].incarnation, from->identity.incarnation);
        le64_put(to[i].number, from->identity.number);
        le64_put(to[i].before, from->before);
        le64_put(to[i].after, from->after);
    }
}

void
ledger_record_encode(unsigned char *record, const struct ledger_state *state)
{
    size_t size = ledger_record_bytes(state->name.size, state->position_count);
    INVARIANT(state->name.size < SEGMENT_DESTINATION_BYTES_MAX && size <= LEDGER_COPY_BYTES);
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
    return name_bytes < SEGMENT_DESTINATION_BYTES_MAX && size <= LEDGER_COPY_BYTES &&
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

size_t
ledger_record_position_count(const unsigned char *record)
{
    const struct ledger_header *header = (const void *)record;
    return le32_get(header->position_count);
}

static struct ledger_position
decode_version_1(const unsigned char *at)
{
    struct ledger_position position = {.identity = {.slot = LEDGER_SLOT_UNKNOWN}};
    memcpy(&position.id, at, sizeof(position.id));
    position.before = le64_get(at + sizeof(position.id));
    position.after = position.before;
    return position;
}

static struct ledger_position
decode_version_2(const unsigned char *at)
{
    const struct ledger_position_on_disk *from = (const void *)at;
    return (struct ledger_position){
        .id = from->id,
        .identity = {.slot = le32_get(from->slot),
                     .incarnation = le64_get(from->incarnation),
                     .number = le64_get(from->number)},
        .before = le64_get(from->before),
        .after = le64_get(from->after),
    };
}

void
ledger_record_decode(struct ledger_state *state_r, const unsigned char *record,
                     struct ledger_position *positions)
{
    const struct ledger_header *header = (const void *)record;
    uint32_t version = le32_get(header->version);
    size_t name_bytes = le16_get(header->name_bytes);
    size_t position_bytes = position_bytes_in(version);
    size_t count = ledger_record_position_count(record);
    const unsigned char *at = record + positions_offset(name_bytes);
    INVARIANT(position_bytes != 0);
    for (size_t i = 0; i < count; i++, at += position_bytes)
        positions[i] = version == 1 ? decode_version_1(at) : decode_version_2(at);
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
        .batch_unknown = version == 1 && le64_get(header->length) != 0,
    };
}

uint64_t
ledger_record_generation(const unsigned char *record)
{
    const struct ledger_header *header = (const void *)record;
    return le64_get(header->generation);
}
