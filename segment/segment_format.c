/* segment_format.c -- the checksums of the segment layout. Runs in workers and in the collector. */
#include "segment/segment_format.h"

#include <stddef.h>
#include <xxhash.h>

uint64_t
segment_record_checksum(const struct segment_id *id, uint64_t offset, uint64_t word,
                        uint64_t sequence, const void *body, uint64_t body_bytes)
{
    unsigned char place[SEGMENT_ID_BYTES + 24];
    memcpy(place, id->bytes, SEGMENT_ID_BYTES);
    le64_put(place + SEGMENT_ID_BYTES, offset);
    le64_put(place + SEGMENT_ID_BYTES + 8, word);
    le64_put(place + SEGMENT_ID_BYTES + 16, sequence);
    return XXH3_64bits_withSeed(body, body_bytes, XXH3_64bits(place, sizeof(place)));
}

uint64_t
segment_header_checksum(const struct segment_header *header)
{
    return XXH3_64bits(header, offsetof(struct segment_header, checksum));
}
