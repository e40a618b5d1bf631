/* arena.h -- the memory of one call: what a decoded request needs, given back in one step.
 *
 * Address space for the whole limit is reserved once; blocks are cut from it one after the other,
 * and a page becomes memory when it is first touched. Each block is preceded by its size:
 *
 *     |size|block ......|pad|size|block ...|pad|        size: 8 bytes, block: aligned to 16 bytes
 *
 * so that the true length of a string that protobuf-c unpacked is known even if the string contains
 * NUL bytes. Runs in a worker, one arena to a thread. Nothing here outlives the process.
 */
#ifndef MYGRPCADAPTER_WORKER_ARENA_H
#define MYGRPCADAPTER_WORKER_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "common/bytes.h"

struct arena;

/* Reserves an arena that hands out at most `limit_bytes`, its own bookkeeping included, and from
 * which arena_reset() keeps at most `keep_bytes` (rounded up to pages) of memory. Returns 0 or a
 * negative errno. The caller owns it. */
int arena_open(struct arena **out, size_t limit_bytes, size_t keep_bytes);

/* Gives everything back; NULL-safe; sets *ap to NULL. */
void arena_close(struct arena **ap);

/* `size` bytes, not zeroed, aligned to 16, valid until arena_reset(). NULL if the limit would be
 * passed; from then on arena_exhausted() is true. */
void *arena_alloc(struct arena *arena, size_t size);

/* Takes all blocks back, and returns to the system what is above `keep_bytes`. */
void arena_reset(struct arena *arena);

/* True if a block has been refused since the last reset: this is how "too big" differs from
 * "malformed" after protobuf-c returned NULL. */
bool arena_exhausted(const struct arena *arena);

/* Bytes handed out since the last reset, bookkeeping included. */
size_t arena_used_bytes(const struct arena *arena);

/* The limit given at open. */
size_t arena_limit_bytes(const struct arena *arena);

/* The arena as protobuf-c wants it; freeing does nothing. Owned by the arena. */
ProtobufCAllocator *arena_allocator(struct arena *arena);

/* The size asked for when `block` was allocated. `block` must come from arena_alloc(). */
static inline size_t
arena_block_size(const void *block)
{
    size_t size;
    memcpy(&size, (const char *)block - sizeof(size), sizeof(size));
    return size;
}

/* A string field as protobuf-c unpacked it into an arena, NUL bytes included: protobuf-c allocates
 * length + 1 bytes for it (protobuf-c.c, parse_required_member), and shares one static string among
 * the fields that were absent. */
static inline struct bytes
arena_string(const char *string)
{
    if (string == NULL || string == protobuf_c_empty_string)
        return (struct bytes){.data = "", .size = 0};
    return (struct bytes){.data = string, .size = arena_block_size(string) - 1};
}

#endif
