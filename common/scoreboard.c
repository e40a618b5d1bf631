/* scoreboard.c -- lays out and reads the memory shared by all processes. Runs in every process. */
#include "common/scoreboard.h"

#include <errno.h>
#include <sys/mman.h>

#include "common/invariant.h"

static size_t
bytes_of(uint32_t slot_count)
{
    return sizeof(struct scoreboard) + slot_count * sizeof(struct scoreboard_slot);
}

int
scoreboard_open(struct scoreboard **out, uint32_t slot_count)
{
    void *memory =
        mmap(NULL, bytes_of(slot_count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    struct scoreboard *scoreboard = memory;
    scoreboard->slot_count = slot_count;
    *out = scoreboard;
    return 0;
}

void
scoreboard_close(struct scoreboard **sp)
{
    if (*sp == NULL)
        return;
    (void)munmap(*sp, bytes_of((*sp)->slot_count));
    *sp = NULL;
}

void
scoreboard_clear_slot(struct scoreboard *scoreboard, uint32_t slot)
{
    INVARIANT(slot < scoreboard->slot_count);
    struct scoreboard_slot *cleared = &scoreboard->slots[slot];
    atomic_store(&cleared->willing_until_ms, 0);
    atomic_store(&cleared->connections, 0);
    atomic_store(&cleared->refuses, 0);
    atomic_store(&cleared->healthy, 0);
}

bool
scoreboard_serves(const struct scoreboard *scoreboard, uint32_t worker_count)
{
    INVARIANT(worker_count <= scoreboard->slot_count);
    bool serves = false;
    for (uint32_t i = 0; i < worker_count; i++) {
        const struct scoreboard_slot *slot = &scoreboard->slots[i];
        if (atomic_load_explicit(&slot->healthy, memory_order_relaxed) == 0)
            continue;
        if (atomic_load_explicit(&slot->refuses, memory_order_relaxed) != 0)
            return false;
        serves = true;
    }
    return serves;
}

uint32_t
scoreboard_turn(const struct scoreboard *scoreboard, uint32_t worker_count, uint64_t now_ms)
{
    INVARIANT(worker_count <= scoreboard->slot_count);
    uint32_t turn = UINT32_MAX;
    uint32_t fewest = UINT32_MAX;
    for (uint32_t i = 0; i < worker_count; i++) {
        const struct scoreboard_slot *slot = &scoreboard->slots[i];
        uint32_t connections = atomic_load(&slot->connections);
        if (atomic_load(&slot->willing_until_ms) > now_ms && connections < fewest) {
            fewest = connections;
            turn = i;
        }
    }
    return turn;
}
