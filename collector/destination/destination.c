/* destination.c -- which kinds of destination there are. Runs in the collector. */
#include "collector/destination/destination.h"

#include <stddef.h>

const struct destination_kind *
destination_kind_find(enum segment_kind kind)
{
    switch (kind) {
    case SEGMENT_FILE:
        return &file_destination;
    case SEGMENT_STANDARD_OUTPUT:
        return &stream_destination;
    case SEGMENT_SEAL:
        break;
    }
    return NULL;
}
