/* map.c -- sorts the indexes of a map's entries. Runs in a worker, for every map of every call. */
#include "worker/decode/map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Runs of this length are sorted by insertion before they are merged. */
#define RUN_ENTRIES 16

/* Between calls, the memory of so many entries is kept. */
#define KEEP_ENTRIES 4096

/* Reserves one array. Each is a mapping of its own, since memory is given back from a different
 * place of each on. */
static void *
reserve(size_t size)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base != MAP_FAILED ? base : NULL;
}

int
map_open(struct map **out, size_t count_max)
{
    INVARIANT(count_max > 0 && count_max <= UINT32_MAX);
    struct map *map = calloc(1, sizeof(*map));
    if (map == NULL)
        return -ENOMEM;
    map->count_max = count_max;
    map->entries = reserve(count_max * sizeof(*map->entries));
    map->order = reserve(count_max * sizeof(*map->order));
    map->scratch = reserve(count_max * sizeof(*map->scratch));
    if (map->entries == NULL || map->order == NULL || map->scratch == NULL) {
        map_close(&map);
        return -ENOMEM;
    }
    *out = map;
    return 0;
}

void
map_close(struct map **mp)
{
    struct map *map = *mp;
    if (map == NULL)
        return;
    if (map->entries != NULL)
        (void)munmap(map->entries, map->count_max * sizeof(*map->entries));
    if (map->order != NULL)
        (void)munmap(map->order, map->count_max * sizeof(*map->order));
    if (map->scratch != NULL)
        (void)munmap(map->scratch, map->count_max * sizeof(*map->scratch));
    free(map);
    *mp = NULL;
}

/* Gives back what an array has in memory above KEEP_ENTRIES. A failure would only cost memory that
 * stays with the process, within the limit. */
static void
give_back(void *array, size_t entry_bytes, size_t touched)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t keep_bytes = (KEEP_ENTRIES * entry_bytes + page_bytes - 1) / page_bytes * page_bytes;
    if (touched * entry_bytes > keep_bytes)
        (void)madvise((char *)array + keep_bytes, touched * entry_bytes - keep_bytes,
                      MADV_DONTNEED);
}

void
map_trim(struct map *map)
{
    map_clear(map);
    if (map->touched <= KEEP_ENTRIES)
        return;
    give_back(map->entries, sizeof(*map->entries), map->touched);
    give_back(map->order, sizeof(*map->order), map->touched);
    give_back(map->scratch, sizeof(*map->scratch), map->touched);
    map->touched = 0;
    map->order_count = 0;
}

static int
compare(const struct map_entry *a, const struct map_entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    size_t common = a->key.size < b->key.size ? a->key.size : b->key.size;
    if (common > sizeof(a->prefix)) {
        int order = memcmp(a->key.data + sizeof(a->prefix), b->key.data + sizeof(b->prefix),
                           common - sizeof(a->prefix));
        if (order != 0)
            return order;
    }
    return (a->key.size > b->key.size) - (a->key.size < b->key.size);
}

/* Compares the keys at two indexes; of equal ones the one that was added first comes first, as in a
 * stable sort. *unique_r becomes false if they are equal. */
static int
compare_at(const struct map_entry *entries, uint32_t a, uint32_t b, bool *unique_r)
{
    int order = compare(&entries[a], &entries[b]);
    if (order != 0)
        return order;
    *unique_r = false;
    return (a > b) - (a < b);
}

/* Costs least for what is in order already. */
static void
sort_run(const struct map_entry *entries, uint32_t *order, size_t count, bool *unique_r)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t moving = order[i];
        size_t to = i;
        for (; to > 0 && compare_at(entries, order[to - 1], moving, unique_r) > 0; to--)
            order[to] = order[to - 1];
        order[to] = moving;
    }
}

/* Merges two sorted neighbours of `order`, `from` to `middle` and `middle` to `end`, into the same
 * places of `out`. Costs least where they are in order already. */
static void
merge_runs(const struct map_entry *entries, const uint32_t *order, size_t from, size_t middle,
           size_t end, uint32_t *out, bool *unique_r)
{
    if (middle == end || compare_at(entries, order[middle - 1], order[middle], unique_r) <= 0) {
        memcpy(out + from, order + from, (end - from) * sizeof(*out));
        return;
    }
    size_t left = from;
    size_t right = middle;
    for (size_t to = from; to < end; to++) {
        bool take_left = right == end || (left < middle && compare_at(entries, order[left],
                                                                      order[right], unique_r) <= 0);
        out[to] = order[take_left ? left++ : right++];
    }
}

/* Sorts `order`, whatever permutation it is. Returns whether no two keys are equal: insertion
 * and merge have compared all that are neighbours in the end. */
static bool
sort_order(struct map *map)
{
    size_t count = map->count;
    bool unique = true;
    for (size_t from = 0; from < count; from += RUN_ENTRIES)
        sort_run(map->entries, map->order + from,
                 count - from < RUN_ENTRIES ? count - from : RUN_ENTRIES, &unique);
    for (size_t width = RUN_ENTRIES; width < count; width *= 2) {
        for (size_t from = 0; from < count; from += 2 * width) {
            size_t middle = count - from < width ? count : from + width;
            size_t end = count - from < 2 * width ? count : from + 2 * width;
            merge_runs(map->entries, map->order, from, middle, end, map->scratch, &unique);
        }
        uint32_t *swap = map->order;
        map->order = map->scratch;
        map->scratch = swap;
    }
    return unique;
}

/* Keeps the last of each run of equal keys. Returns how many are left. */
static size_t
drop_replaced(struct map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        bool is_replaced = i + 1 < map->count && compare(map_at(map, i), map_at(map, i + 1)) == 0;
        if (!is_replaced)
            map->order[kept++] = map->order[i];
    }
    map->order_count = 0; /* it is a permutation no longer */
    return kept;
}

size_t
map_sort_anew(struct map *map)
{
    if (map->order_count != map->count) {
        for (size_t i = 0; i < map->count; i++)
            map->order[i] = (uint32_t)i;
        map->order_count = map->count;
    }
    return sort_order(map) ? map->count : drop_replaced(map);
}
