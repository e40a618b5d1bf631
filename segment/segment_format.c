/* segment_format.c -- the checksums of the segment layout. Runs in workers and in the collector. */
#include "segment/segment_format.h"

#include <stddef.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h> /* as wide as the processor can, and not only SSE2 */
#else
#include <xxhash.h>
#endif

/* What there is to know of a kind. */
struct kind {
    uint16_t number;
    const char *word;
    bool is_named;
};

#define KIND_ROW(name, number, word, is_named) {(number), (word), (is_named)},
static const struct kind kinds[] = {SEGMENT_KINDS(KIND_ROW)};

static const struct kind *
find_kind(uint16_t number)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].number == number)
            return &kinds[i];
    }
    return NULL;
}

const char *
segment_kind_word(uint16_t kind)
{
    const struct kind *found = find_kind(kind);
    return found == NULL ? NULL : found->word;
}

bool
segment_kind_takes_name(uint16_t kind, size_t name_bytes)
{
    const struct kind *found = find_kind(kind);
    return found != NULL && name_bytes < SEGMENT_DESTINATION_BYTES_MAX &&
           (name_bytes > 0) == found->is_named;
}

uint64_t
segment_record_checksum(uint32_t version, const struct segment_record_place *place,
                        const void *body, uint64_t body_bytes)
{
    unsigned char seed[SEGMENT_ID_BYTES + 32];
    size_t seed_bytes = version == 1 ? sizeof(seed) - 8 : sizeof(seed);
    memcpy(seed, place->id->bytes, SEGMENT_ID_BYTES);
    le64_put(seed + SEGMENT_ID_BYTES, place->offset);
    le64_put(seed + SEGMENT_ID_BYTES + 8, place->word);
    le64_put(seed + SEGMENT_ID_BYTES + 16, place->sequence);
    le64_put(seed + SEGMENT_ID_BYTES + 24, place->appended_ns);
    return XXH3_64bits_withSeed(body, body_bytes, XXH3_64bits(seed, seed_bytes));
}

/* Where a header of that version has its checksum, which is of all before it. */
static size_t
header_checksum_offset(uint32_t version)
{
    return version < 3 ? offsetof(struct segment_header, durability)
                       : offsetof(struct segment_header, checksum);
}

void
segment_header_finish(struct segment_header *header)
{
    size_t offset = header_checksum_offset(le32_get(header->version));
    le64_put((unsigned char *)header + offset, XXH3_64bits(header, offset));
}

bool
segment_header_is_whole(const struct segment_header *header)
{
    size_t offset = header_checksum_offset(le32_get(header->version));
    return le64_get((const unsigned char *)header + offset) == XXH3_64bits(header, offset);
}
