/* map.h -- the entries of one map, in the order of their keys.
 *
 * Keys are ordered bytewise, and a key comes before a longer one that begins with it. Of entries
 * with equal keys only the last that was added counts. That is what Go makes of a map and how it
 * prints one.
 *
 * Address space for as many entries as a request can hold is reserved once, and a page becomes
 * memory when it is first touched: adding cannot fail. Entries stay where they are, and their
 * indexes are sorted. The maps of a handler's instances mostly have the same keys in the same
 * places, so the order of the last map is tried first. Where it does not hold, a stable bottom-up
 * merge sort follows, which takes O(n log n) whatever the keys are.
 *
 * Runs in a worker, one to a thread. Keys and values point to where they were read from.
 */
#ifndef MYGRPCADAPTER_WORKER_DECODE_MAP_H
#define MYGRPCADAPTER_WORKER_DECODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/invariant.h"
#include "worker/decode/value.h"

struct map_entry {
    /* map_prefix() of the key: one comparison of numbers settles most. */
    uint64_t prefix;

    struct bytes key;
    struct value value;
};

/* The fields are for the functions of this module only. */
struct map {
    /* As they were added. */
    struct map_entry *entries;
    size_t count;
    size_t count_max;

    /* Their indexes, a permutation of the first order_count ones. */
    uint32_t *order;
    size_t order_count;

    /* As large as `order`, for sorting. */
    uint32_t *scratch;

    /* The most entries that there were since memory was last given back. */
    size_t touched;
};

/* Reserves a map for at most `count_max` entries. Returns 0 or a negative errno; the caller owns
 * *out. */
int map_open(struct map **out, size_t count_max);

/* Gives everything back; NULL-safe; sets *mp to NULL. */
void map_close(struct map **mp);

/* Removes all entries. */
static inline void
map_clear(struct map *map)
{
    if (map->touched < map->count)
        map->touched = map->count;
    map->count = 0;
}

/* Removes all entries and gives back the memory of a map that was large. */
void map_trim(struct map *map);

/* Where the next entry goes, if there are fewer than map_open() was told. The caller fills in
 * key and value, and then adds it by map_add(), or leaves it. */
static inline struct map_entry *
map_place(const struct map *map)
{
    INVARIANT(map->count < map->count_max);
    return &map->entries[map->count];
}

/* The first eight bytes of a key as a big-endian number, zeros behind its end. */
static inline uint64_t
map_prefix(struct bytes key)
{
    if (key.size >= 8)
        return be64_get(key.data);
    if (key.size >= 4) /* two halves that overlap */
        return (uint64_t)be32_get(key.data) << 32 | (uint64_t)be32_get(key.data + key.size - 4)
                                                        << (8 * (8 - key.size));
    uint64_t prefix = 0;
    for (size_t i = 0; i < key.size; i++)
        prefix |= (uint64_t)(unsigned char)key.data[i] << (56 - 8 * i);
    return prefix;
}

/* Adds the entry at map_place(). */
static inline void
map_add(struct map *map)
{
    struct map_entry *entry = &map->entries[map->count++];
    entry->prefix = map_prefix(entry->key);
}

/* The entry that is at `index` by the order of the keys. */
static inline const struct map_entry *
map_at(const struct map *map, size_t index)
{
    return &map->entries[map->order[index]];
}

/* True if the order of the last map is this one's too, by the first bytes of the keys alone. */
static inline bool
map_is_like_last(const struct map *map)
{
    if (map->order_count != map->count)
        return false;
    for (size_t i = 1; i < map->count; i++) {
        if (map_at(map, i - 1)->prefix >= map_at(map, i)->prefix)
            return false;
    }
    return true;
}

/* For map_sort() only. */
size_t map_sort_anew(struct map *map);

/* Puts the entries in order and returns how many different keys they have, for map_at(). */
static inline size_t
map_sort(struct map *map)
{
    return map_is_like_last(map) ? map->count : map_sort_anew(map);
}

#endif
