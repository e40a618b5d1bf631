/* send_value.h -- one value of an instance as a person writes it: TYPE:TEXT, for example
 * ip:10.1.2.3.
 *
 * Knows every kind of value that Mixer can send. Runs in the process of `mygrpcadapter send`;
 * send_instance turns a value into protobuf.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_VALUE_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* Mixer passes on whatever a proxy put into an address attribute, so that more than 16 bytes can be
 * tried too. */
#define SEND_VALUE_ADDRESS_BYTES_MAX 64

enum send_value_kind {
    SEND_VALUE_NONE,
    SEND_VALUE_STRING,
    SEND_VALUE_INT64,
    SEND_VALUE_DOUBLE,
    SEND_VALUE_BOOL,
    SEND_VALUE_IP_ADDRESS,
    SEND_VALUE_TIMESTAMP,
    SEND_VALUE_DURATION,
    SEND_VALUE_EMAIL_ADDRESS,
    SEND_VALUE_DNS_NAME,
    SEND_VALUE_URI
};

/* Which fields mean something depends on the kind. */
struct send_value {
    enum send_value_kind kind;
    /* A string, email address, DNS name or URI; borrowed from the argument. */
    const char *text;
    /* An int64; 0 or 1 for a bool; the seconds of a timestamp or duration. */
    int64_t integer;
    /* Of a timestamp or duration. */
    int32_t nanos;
    /* A double. */
    double number;
    uint8_t address[SEND_VALUE_ADDRESS_BYTES_MAX];
    size_t address_size;
};

/* Reads TYPE:TEXT, or "none" for no value at all; a text without one of the types before it is a
 * string. What *out holds borrows from `text`. Returns 0, or -EINVAL and in *why_r what is wrong (a
 * literal). */
int send_value_parse(struct send_value *out, const char *text, const char **why_r);

/* The same, except that a whole number without a type is an int64. */
int send_value_parse_measure(struct send_value *out, const char *text, const char **why_r);

#endif
