/* request_layout.h -- the request that is sent, and where the two numbers in it are that change
 * from call to call. For send_request.c and the ways to make one; a process of its own.
 *
 * A request of ours, field by field, with one instance; what changes from call to call is in bytes:
 *
 *     instances = 1       tag length | value | dimensions ... ff ff ff ff ff ff ff ff 7f | name
 *     adapter_config = 2  tag length | type_url | value
 *     dedup_id = 3        1a 13 | d d d d d d d d d d d d d d d d d d d
 *
 * - The dedup_id is the last field and always a decimal number of 19 digits, so it is the last 19
 *   bytes.
 * - The dimension `call` is an int64 that is encoded as INT64_MAX: nine bytes. Any smaller number
 *   can be padded to nine bytes, as Mixer's own encoder pads numbers. Only the instance's name is
 *   behind it.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_REQUEST_LAYOUT_H
#define MYGRPCADAPTER_COMMANDS_SEND_REQUEST_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define DEDUP_ID_DIGITS 19
#define CALL_SLOT_BYTES 9

struct send_request {
    uint8_t *bytes;
    size_t size;
    size_t shared_size;

    /* Of each call; 0 if the bytes of a file are no HandleMetricRequest. */
    uint64_t instance_count;

    /* That of the first call; 0: the request has none of ours. */
    uint64_t dedup_id_first;

    /* Instances that carry the number of the call; where the first one's number is, and how far it
     * is from one to the next. */
    uint64_t call_slot_count;
    size_t call_slot_first;
    size_t call_slot_stride;
};

/* Writes a dedup_id: DEDUP_ID_DIGITS digits without a NUL. */
static inline void
request_layout_write_dedup_id(uint8_t *out, uint64_t id)
{
    for (size_t i = DEDUP_ID_DIGITS; i-- > 0; id /= 10)
        out[i] = (uint8_t)('0' + id % 10);
}

#endif
