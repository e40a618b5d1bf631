/* arena_test.c -- block sizes, alignment, the limit, and giving memory back. */
#include "worker/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include <metric.pb-c.h>

#define KIB ((size_t)1024)

/* Pages of the block that are in memory. */
static size_t
resident_pages(char *block, size_t size)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = (uintptr_t)block % page_bytes;
    size_t pages = (before + size + page_bytes - 1) / page_bytes;
    unsigned char in_memory[1024];
    assert_true(pages <= sizeof(in_memory));
    assert_int_equal(mincore(block - before, pages * page_bytes, in_memory), 0);
    size_t count = 0;
    for (size_t i = 0; i < pages; i++)
        count += in_memory[i] & 1;
    return count;
}

static void
blocks_are_aligned_and_know_their_size(void **state)
{
    (void)state;
    struct arena *arena;
    assert_int_equal(arena_open(&arena, 64 * KIB, 64 * KIB), 0);
    char *previous_end = NULL;
    for (size_t size = 0; size < 100; size++) {
        char *block = arena_alloc(arena, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        assert_int_equal(arena_block_size(block), size);
        assert_true(previous_end == NULL || block >= previous_end + sizeof(size_t));
        memset(block, 0xee, size);
        previous_end = block + size;
    }
    assert_false(arena_exhausted(arena));
    arena_close(&arena);
    assert_null(arena);
    arena_close(&arena);
}

static void
limit_is_exact_and_remembered(void **state)
{
    (void)state;
    struct arena *arena;
    assert_int_equal(arena_open(&arena, 1000, 1000), 0);
    assert_int_equal(arena_limit_bytes(arena), 1000);
    assert_non_null(arena_alloc(arena, 1000 - 16));
    assert_int_equal(arena_used_bytes(arena), 1000);
    assert_null(arena_alloc(arena, 0));
    assert_true(arena_exhausted(arena));
    arena_reset(arena);
    assert_false(arena_exhausted(arena));
    assert_null(arena_alloc(arena, 1000 - 15));
    assert_true(arena_exhausted(arena));
    assert_non_null(arena_alloc(arena, 100));
    assert_true(arena_exhausted(arena));
    arena_reset(arena);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 16));
    arena_close(&arena);
}

static void
reset_gives_the_excess_back(void **state)
{
    (void)state;
    const size_t big = 1024 * KIB;
    struct arena *arena;
    assert_int_equal(arena_open(&arena, 4096 * KIB, 64 * KIB), 0);
    char *block = arena_alloc(arena, big);
    memset(block, 1, big);
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    assert_true(resident_pages(block, big) >= big / page_bytes);
    arena_reset(arena);
    assert_true(resident_pages(block, big) <= 64 * KIB / page_bytes);
    assert_int_equal(arena_used_bytes(arena), 0);
    assert_ptr_equal(arena_alloc(arena, big), block);
    arena_close(&arena);
}

static void
strings_keep_their_length(void **state)
{
    (void)state;
    static const uint8_t instance[] = "\xfa\xd2\xe4\x93\x02\x05"
                                      "a\0b\0c";
    struct arena *arena;
    assert_int_equal(arena_open(&arena, 64 * KIB, 64 * KIB), 0);
    Metric__InstanceMsg *message =
        metric__instance_msg__unpack(arena_allocator(arena), sizeof(instance) - 1, instance);
    assert_non_null(message);
    struct bytes name = arena_string(message->name);
    assert_int_equal(name.size, 5);
    assert_memory_equal(name.data, "a\0b\0c", 5);
    assert_int_equal(arena_string(message->monitored_resource_type).size, 0);
    assert_non_null(arena_string(message->monitored_resource_type).data);
    assert_int_equal(arena_string(NULL).size, 0);
    metric__instance_msg__free_unpacked(message, arena_allocator(arena));
    arena_close(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_know_their_size),
        cmocka_unit_test(limit_is_exact_and_remembered),
        cmocka_unit_test(reset_gives_the_excess_back),
        cmocka_unit_test(strings_keep_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
