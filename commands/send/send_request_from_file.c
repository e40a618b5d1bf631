/* send_request_from_file.c -- a request that a person has in a file: `send --request FILE`.
 *
 * Runs in the process of `mygrpcadapter send`. The bytes are sent as they are, whatever they are: a
 * damaged request is a good way to see what an adapter makes of one. They are decoded only to count
 * the instances for the report.
 */
#include "commands/send/send_request_from_file.h"

#include <errno.h>
#include <stdio.h>

#include "metric.pb-c.h"

#include "base/array.h"
#include "commands/send/request_layout.h"

#define REQUEST_FILE_BYTES_MAX ((size_t)64 << 20)
#define READ_BYTES ((size_t)64 << 10)

/* A regular file or a pipe: nobody knows beforehand how much it is. */
static int
read_stream(struct send_request *request, FILE *stream)
{
    size_t capacity = 0;
    do {
        if (ARRAY_RESERVE(request->bytes, capacity, request->size + READ_BYTES) != 0)
            return -ENOMEM;
        errno = 0;
        request->size += fread(request->bytes + request->size, 1, READ_BYTES, stream);
        if (request->size > REQUEST_FILE_BYTES_MAX)
            return -EFBIG;
    } while (!feof(stream) && !ferror(stream));
    if (!ferror(stream))
        return 0;
    return errno != 0 ? -errno : -EIO; /* such as EISDIR */
}

static uint64_t
count_instances(const struct send_request *request)
{
    Metric__HandleMetricRequest *message =
        metric__handle_metric_request__unpack(NULL, request->size, request->bytes);
    uint64_t count = message != NULL ? message->n_instances : 0;
    metric__handle_metric_request__free_unpacked(message, NULL);
    return count;
}

int
send_request_from_file(struct send_request *request, const char *path)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL)
        return -errno;
    int error = read_stream(request, stream);
    (void)fclose(stream);
    if (error != 0)
        return error;
    request->shared_size = request->size;
    request->instance_count = count_instances(request);
    return 0;
}
