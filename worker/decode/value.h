/* value.h -- one istio.policy.v1beta1.Value, decoded. Runs in a worker; a value points into the
 * bytes it was read from. */
#ifndef MYGRPCADAPTER_WORKER_DECODE_VALUE_H
#define MYGRPCADAPTER_WORKER_DECODE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "worker/decode/wire.h"

/* Which member of the oneof is set; the numbers are the fields'. */
enum value_kind {
    VALUE_NONE = 0,
    VALUE_STRING = 1,
    VALUE_INT64 = 2,
    VALUE_DOUBLE = 3,
    VALUE_BOOL = 4,
    VALUE_IP_ADDRESS = 5,
    VALUE_TIMESTAMP = 6,
    VALUE_DURATION = 7,
    VALUE_EMAIL_ADDRESS = 8,
    VALUE_DNS_NAME = 9,
    VALUE_URI = 10,
    VALUE_STRING_MAP = 11
};

/* A google.protobuf.Timestamp or Duration in its wrapper. */
struct moment {
    int64_t seconds;
    int32_t nanos;
    /* False if the wrapper is empty. */
    bool is_set;
};

struct value {
    enum value_kind kind;
    union {
        /* Of strings, addresses and names; of a string map its message. */
        struct bytes bytes;

        int64_t integer;
        double number;
        bool truth;
        struct moment moment;
    };
};

/* Reads a message into *value. As in gogo, each member replaces the one before it, even where
 * both are messages, and the first one replaces what *value has: value_clear() it for a new
 * value. Returns false at a fault. */
bool value_read(struct wire_fault *fault, struct bytes message, struct value *value);

static inline void
value_clear(struct value *value)
{
    value->kind = VALUE_NONE;
}

/* Takes one entry of a StringMap; key and string are good as long as the message. */
typedef void (*value_take_pair)(void *context, struct bytes key, struct bytes string);

/* Reads a StringMap and gives each entry, as it comes, to `take`, unless that is NULL. Returns
 * false at a fault. */
bool value_read_string_map(struct wire_fault *fault, struct bytes message, value_take_pair take,
                           void *context);

#endif
