/* send_request.c -- what the calls of `send` carry, and how it changes from call to call.
 *
 * Runs in the process of `mygrpcadapter send`. A request is made of the options
 * (send_request_from_options.c) or read from a file (send_request_from_file.c); from then on both
 * are the same, but for the numbers, which the bytes of a file do not have.
 */
#include "commands/send/send_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "commands/send/request_layout.h"
#include "commands/send/send_options.h"
#include "commands/send/send_request_from_file.h"
#include "commands/send/send_request_from_options.h"

int
send_request_open(struct send_request **out, const struct send_options *options)
{
    struct send_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return -ENOMEM;
    int error = options->request_file != NULL
                    ? send_request_from_file(request, options->request_file)
                    : send_request_from_options(request, options);
    if (error != 0) {
        send_request_close(&request);
        return error;
    }
    INVARIANT(request->shared_size <= request->size);
    *out = request;
    return 0;
}

void
send_request_close(struct send_request **request_p)
{
    if (*request_p == NULL)
        return;
    free((*request_p)->bytes);
    free(*request_p);
    *request_p = NULL;
}

/* A varint of nine bytes, however small the number. */
static void
write_call_number(uint8_t *out, uint64_t number)
{
    for (size_t i = 0; i < CALL_SLOT_BYTES - 1; i++, number >>= 7)
        out[i] = (uint8_t)(0x80 | (number & 0x7f));
    out[CALL_SLOT_BYTES - 1] = (uint8_t)(number & 0x7f);
}

void
send_request_write(const struct send_request *request, uint64_t number, uint8_t *out)
{
    INVARIANT(number >= 1 && number <= SEND_COUNT_MAX);
    if (request->dedup_id_first == 0)
        return;
    size_t own_size = request->size - request->shared_size;
    memcpy(out, request->bytes + request->shared_size, own_size);
    request_layout_write_dedup_id(out + own_size - DEDUP_ID_DIGITS,
                                  request->dedup_id_first + number - 1);
    for (size_t i = 0; i < request->call_slot_count; i++)
        write_call_number(out + request->call_slot_first + i * request->call_slot_stride, number);
}
