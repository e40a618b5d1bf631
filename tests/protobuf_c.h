/* protobuf_c.h -- what protobuf-c makes of a request: the reference that the decoder is tested
 * against.
 *
 * protobuf-c is stricter than gogo in most: it takes lengths and tags of up to 5 bytes, no groups,
 * and map entries only if they are messages like others. In a oneof it merges messages. What it
 * takes it unpacks into a tree; packed again, the tree is the same request in its shortest form.
 * Both must have the same text.
 */
#ifndef MYGRPCADAPTER_TESTS_PROTOBUF_C_H
#define MYGRPCADAPTER_TESTS_PROTOBUF_C_H

#include <stdlib.h>

#include <metric.pb-c.h>

#include "base/bytes.h"

/* Unpacks and packs `wire`. False if protobuf-c refuses it; else *packed_r is to be freed. */
static inline bool
protobuf_c_repack(struct bytes wire, struct bytes *packed_r)
{
    Metric__HandleMetricRequest *message =
        metric__handle_metric_request__unpack(NULL, wire.size, (const uint8_t *)wire.data);
    if (message == NULL)
        return false;
    size_t size = metric__handle_metric_request__get_packed_size(message);
    char *packed = malloc(size + 1);
    size = metric__handle_metric_request__pack(message, (uint8_t *)packed);
    metric__handle_metric_request__free_unpacked(message, NULL);
    *packed_r = (struct bytes){packed, size};
    return true;
}

#endif
