/* arena.c -- a bump allocator over reserved address space.
 *
 * Runs in a worker. Growing is a page fault, and resetting after a big call one madvise(), so there
 * are no chunks to keep account of. Under AddressSanitizer whatever is not handed out is poisoned.
 */
#include "worker/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/invariant.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define ALIGNMENT 16
#define HEADER_BYTES sizeof(size_t)

_Static_assert(ALIGNMENT >= alignof(max_align_t), "any type may be put in a block");
_Static_assert(ALIGNMENT >= HEADER_BYTES, "a header fits before an aligned block");

struct arena {
    ProtobufCAllocator allocator;
    char *base;
    size_t used_bytes;
    size_t limit_bytes;
    size_t mapped_bytes; /* limit_bytes in whole pages */
    size_t keep_bytes;   /* whole pages */
    bool exhausted;
};

static void *
allocate_for_protobuf(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void
free_for_protobuf(void *arena, void *block)
{
    (void)arena;
    (void)block;
}

static size_t
round_to_pages(size_t size)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page_bytes - 1) / page_bytes * page_bytes;
}

int
arena_open(struct arena **out, size_t limit_bytes, size_t keep_bytes)
{
    INVARIANT(limit_bytes > 0 && limit_bytes <= PTRDIFF_MAX / 2);
    struct arena *arena = calloc(1, sizeof(*arena));
    if (arena == NULL)
        return -ENOMEM;
    arena->allocator = (ProtobufCAllocator){
        .alloc = allocate_for_protobuf, .free = free_for_protobuf, .allocator_data = arena};
    arena->limit_bytes = limit_bytes;
    arena->mapped_bytes = round_to_pages(limit_bytes);
    arena->keep_bytes = round_to_pages(keep_bytes < limit_bytes ? keep_bytes : limit_bytes);
    void *base = mmap(NULL, arena->mapped_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        int error = errno;
        free(arena);
        return -error;
    }
    arena->base = base;
    ASAN_POISON_MEMORY_REGION(arena->base, arena->mapped_bytes);
    *out = arena;
    return 0;
}

void
arena_close(struct arena **ap)
{
    struct arena *arena = *ap;
    if (arena == NULL)
        return;
    ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->mapped_bytes);
    (void)munmap(arena->base, arena->mapped_bytes);
    free(arena);
    *ap = NULL;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    size_t start = (arena->used_bytes + HEADER_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > arena->limit_bytes || start > arena->limit_bytes - size) {
        arena->exhausted = true;
        return NULL;
    }
    char *block = arena->base + start;
    ASAN_UNPOISON_MEMORY_REGION(block - HEADER_BYTES, HEADER_BYTES + size);
    memcpy(block - HEADER_BYTES, &size, sizeof(size));
    arena->used_bytes = start + size;
    return block;
}

void
arena_reset(struct arena *arena)
{
    ASAN_POISON_MEMORY_REGION(arena->base, arena->used_bytes);
    if (arena->used_bytes > arena->keep_bytes) {
        /* A failure would only cost memory that stays with the process, within the limit. */
        (void)madvise(arena->base + arena->keep_bytes,
                      round_to_pages(arena->used_bytes) - arena->keep_bytes, MADV_DONTNEED);
    }
    arena->used_bytes = 0;
    arena->exhausted = false;
}

bool
arena_exhausted(const struct arena *arena)
{
    return arena->exhausted;
}

size_t
arena_used_bytes(const struct arena *arena)
{
    return arena->used_bytes;
}

size_t
arena_limit_bytes(const struct arena *arena)
{
    return arena->limit_bytes;
}

ProtobufCAllocator *
arena_allocator(struct arena *arena)
{
    return &arena->allocator;
}
