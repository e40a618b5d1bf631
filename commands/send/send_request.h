/* send_request.h -- the bytes of the HandleMetricRequest that each call carries.
 *
 * Made of the options, or read from a file, once, before the first call. What changes from call to
 * call (the dedup_id, and the dimension of --unique) has a fixed width and a known place, so a
 * call's own bytes are copied and written over, and nothing is encoded again. Runs in the process
 * of `mygrpcadapter send`; calls nothing of gRPC.
 *
 *     bytes    +-------------------------------------+------------------------+
 *              | the same in every call: sent by     | the call's own: made   |
 *              | reference                           | by send_request_write  |
 *              +-------------------------------------+------------------------+
 *              0                          shared_size                      size
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_H

#include <stdint.h>

#include "commands/send/request_layout.h"

struct send_options;

/* Makes the request that the options describe, or reads the file they name. Returns 0 or a negative
 * errno (of the file; -EFBIG if it has more than 64 MiB; -ENOMEM). The caller owns *out. */
int send_request_open(struct send_request **out, const struct send_options *options);

/* Frees; NULL-safe; sets *request_p to NULL. */
void send_request_close(struct send_request **request_p);

/* Writes the call's own bytes, size - shared_size of them, of the call with this number. Numbers
 * count from 1. */
void send_request_write(const struct send_request *request, uint64_t number, uint8_t *out);

#endif
