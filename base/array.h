/* array.h -- arrays that grow: a pointer to their items, and how many there is room for. Used
 * by every process. */
#ifndef MYGRPCADAPTER_BASE_ARRAY_H
#define MYGRPCADAPTER_BASE_ARRAY_H

#include <stddef.h>

/* Makes room for at least `count` items of `item_bytes` each. `items` is the address of the
 * pointer to them, which is NULL, or from malloc(), and *capacity how many it has room for.
 * Grows by half again at least, so that adding one by one stays cheap. The new items are not
 * initialised. Returns 0, or -ENOMEM with all as it was. The caller frees the items. */
int array_reserve(void *items, size_t *capacity, size_t count, size_t item_bytes);

/* The same for an array whose type says how large an item is: ARRAY_RESERVE(list->items,
 * list->capacity, list->count + 1). What it is given is looked at more than once. */
#define ARRAY_RESERVE(items, capacity, count)                                                      \
    ((count) <= (capacity) ? 0                                                                     \
                           : array_reserve(&(items), &(capacity), (count),                         \
                                           sizeof(*(items)))) /* NOLINT: pointers too */

#endif
