/* segment_format.c -- the checksums of the segment layout. Runs in workers and in the collector. */
#include "segment/segment_format.h"

#include <stddef.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h> /* as wide as the processor can, and not only SSE2 */
#else
#include <xxhash.h>
#endif

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

uint64_t
segment_header_checksum(const struct segment_header *header)
{
    return XXH3_64bits(header, offsetof(struct segment_header, checksum));
}
