/* array.c -- growing an array. Used by every process. */
#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

#define ITEMS_MIN 16

int
array_reserve(void *items, size_t *capacity, size_t count, size_t item_bytes)
{
    if (count <= *capacity)
        return 0;
    size_t larger = *capacity > SIZE_MAX / 2 ? SIZE_MAX : *capacity + *capacity / 2;
    if (larger < ITEMS_MIN)
        larger = ITEMS_MIN;
    if (larger < count)
        larger = count;
    /* Copied, whatever type the pointer is of. */
    if (larger > PTRDIFF_MAX / item_bytes)
        return -ENOMEM;
    void *old;
    memcpy(&old, items, sizeof(old));
    INVARIANT(old != NULL || *capacity == 0);
    void *grown = realloc(old, larger * item_bytes);
    if (grown == NULL)
        return -ENOMEM;
    memcpy(items, &grown, sizeof(grown));
    *capacity = larger;
    return 0;
}
