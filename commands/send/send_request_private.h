/* send_request_private.h -- the two ways to make a request, and what both know of the two numbers
 * in one. For the files of send_request alone.
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
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_PRIVATE_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_PRIVATE_H

#include <stdint.h>

struct send_options;
struct send_request;

#define DEDUP_ID_DIGITS 19
#define CALL_SLOT_BYTES 9

/* Makes the request that the options describe, in a *request that is all zeros. Returns 0 or
 * -ENOMEM. In either case the caller owns what is in *request. (send_request_from_options.c) */
int send_request_from_options(struct send_request *request, const struct send_options *options);

/* Reads the request from a file as it is, into a *request that is all zeros. Returns 0 or a
 * negative errno: of the file, -EFBIG if it has more than 64 MiB, -ENOMEM. In either case the
 * caller owns what is in *request. (send_request_from_file.c) */
int send_request_from_file(struct send_request *request, const char *path);

/* Writes a dedup_id: DEDUP_ID_DIGITS digits without a NUL. */
void send_request_write_dedup_id(uint8_t *out, uint64_t id);

#endif
