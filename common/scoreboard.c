/* scoreboard.c -- lays out and reads the memory shared by all processes. Runs in every process. */
#include "common/scoreboard.h"

#include <errno.h>
#include <sys/mman.h>

#include "common/invariant.h"

static size_t
slots_bytes(uint32_t slot_count)
{
    return sizeof(struct scoreboard) + slot_count * sizeof(struct scoreboard_slot);
}

int
scoreboard_open(struct scoreboard **out, uint32_t slot_count, uint32_t destination_count_max)
{
    size_t bytes = slots_bytes(slot_count) + destination_count_max * sizeof(uint64_t);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    struct scoreboard *scoreboard = memory;
    scoreboard->slot_count = slot_count;
    scoreboard->destination_count_max = destination_count_max;
    scoreboard->destinations = (void *)((char *)memory + slots_bytes(slot_count));
    *out = scoreboard;
    return 0;
}

void
scoreboard_close(struct scoreboard **sp)
{
    if (*sp == NULL)
        return;
    (void)munmap(*sp,
                 slots_bytes((*sp)->slot_count) + (*sp)->destination_count_max * sizeof(uint64_t));
    *sp = NULL;
}

void
scoreboard_clear_slot(struct scoreboard *scoreboard, uint32_t slot)
{
    INVARIANT(slot < scoreboard->slot_count);
    struct scoreboard_slot *cleared = &scoreboard->slots[slot];
    atomic_store(&cleared->willing_until_ms, 0);
    atomic_store(&cleared->connections, 0);
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

bool
scoreboard_admit_destination(struct scoreboard *scoreboard, uint64_t hash)
{
    if (hash == 0)
        hash = 1; /* 0 marks a free place */
    uint32_t size = scoreboard->destination_count_max;
    for (uint32_t step = 0; step < size; step++) {
        _Atomic uint64_t *place = &scoreboard->destinations[(hash + step) % size];
        uint64_t found = 0;
        if (atomic_compare_exchange_strong(place, &found, hash) || found == hash)
            return true;
    }
    return false;
}
