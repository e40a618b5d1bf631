/* scoreboard.c -- lays out and reads the memory shared by all processes. Runs in every process. */
#include "common/scoreboard.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/invariant.h"

#define MAGIC "mygrpcsb"

/* Two programs that agree on the sizes and were built of the same version agree on the fields. */
#define LAYOUT (sizeof(struct scoreboard) << 32 | sizeof(struct scoreboard_slot))

static size_t
bytes_of(uint32_t slot_count)
{
    return sizeof(struct scoreboard) + slot_count * sizeof(struct scoreboard_slot);
}

int
scoreboard_open(struct scoreboard **out, uint32_t slot_count)
{
    /* A memory file, so that `status` can look at it through /proc; nothing is on any disk. */
    int fd = memfd_create(SCOREBOARD_NAME, MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    void *memory = MAP_FAILED;
    if (ftruncate(fd, (off_t)bytes_of(slot_count)) == 0)
        memory = mmap(NULL, bytes_of(slot_count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    struct scoreboard *scoreboard = memory;
    memcpy(scoreboard->magic, MAGIC, sizeof(scoreboard->magic));
    scoreboard->layout = LAYOUT;
    scoreboard->slot_count = slot_count;
    scoreboard->fd = fd;
    _Static_assert(sizeof(MYGRPCADAPTER_VERSION) <= sizeof(scoreboard->facts.version), "room");
    (void)strcpy(scoreboard->facts.version, MYGRPCADAPTER_VERSION);
    *out = scoreboard;
    return 0;
}

static bool
is_ours(const struct scoreboard *scoreboard, size_t bytes)
{
    return memcmp(scoreboard->magic, MAGIC, sizeof(scoreboard->magic)) == 0 &&
           scoreboard->layout == LAYOUT && bytes == bytes_of(scoreboard->slot_count) &&
           strcmp(scoreboard->facts.version, MYGRPCADAPTER_VERSION) == 0;
}

int
scoreboard_attach(const struct scoreboard **out, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    size_t bytes = (size_t)status.st_size;
    if (bytes < sizeof(struct scoreboard))
        return -EPROTO;
    void *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    if (!is_ours(memory, bytes)) {
        (void)munmap(memory, bytes);
        return -EPROTO;
    }
    *out = memory;
    return 0;
}

void
scoreboard_detach(const struct scoreboard **sp)
{
    if (*sp == NULL)
        return;
    (void)munmap(bytes_unconst((const void *)*sp), bytes_of((*sp)->slot_count));
    *sp = NULL;
}

void
scoreboard_close(struct scoreboard **sp)
{
    if (*sp == NULL)
        return;
    (void)close((*sp)->fd);
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
    atomic_store(&cleared->process.healthy, 0);
    /* Its calls in flight died with it. */
    tally_set(&cleared->worker.ended, tally_get(&cleared->worker.begun));
}

bool
scoreboard_is_first(_Atomic uint32_t *first)
{
    return atomic_load_explicit(first, memory_order_relaxed) == 0 && atomic_exchange(first, 1) == 0;
}

bool
scoreboard_serves(const struct scoreboard *scoreboard, uint32_t worker_count)
{
    INVARIANT(worker_count <= scoreboard->slot_count);
    bool serves = false;
    for (uint32_t i = 0; i < worker_count; i++) {
        const struct scoreboard_slot *slot = &scoreboard->slots[i];
        if (atomic_load_explicit(&slot->process.healthy, memory_order_relaxed) == 0)
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

void
scoreboard_set_role(struct scoreboard *scoreboard, uint32_t slot, enum role role)
{
    INVARIANT(slot < scoreboard->slot_count && (unsigned)role < ROLES);
    atomic_store_explicit(&scoreboard->slots[slot].process.role, role, memory_order_relaxed);
}

enum role
scoreboard_role(const struct scoreboard *scoreboard, uint32_t slot)
{
    INVARIANT(slot < scoreboard->slot_count);
    return atomic_load_explicit(&scoreboard->slots[slot].process.role, memory_order_relaxed);
}

uint64_t
scoreboard_in_flight(const struct scoreboard *scoreboard, uint32_t slot)
{
    /* In this order: a call may begin and end between the two looks. */
    uint64_t ended = tally_get(&scoreboard->slots[slot].worker.ended);
    uint64_t begun = tally_get(&scoreboard->slots[slot].worker.begun);
    return begun > ended ? begun - ended : 0;
}
