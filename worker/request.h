/* request.h -- one HandleMetric call's request, decoded and checked.
 *
 * Runs in a worker. All that a request consists of lies in the arena it was decoded into (names,
 * keys and values are copies): it is valid until that arena is reset, also after the received bytes
 * are gone.
 */
#ifndef MYGRPCADAPTER_WORKER_REQUEST_H
#define MYGRPCADAPTER_WORKER_REQUEST_H

#include <stddef.h>

#include "common/bytes.h"

struct Metric__HandleMetricRequest;
struct arena;

/* The message of an adapter_config, as it stands after the last '/' of its type_url. */
#define REQUEST_PARAMS_TYPE "adapter.mygrpcadapter.config.Params"

/* Room for any reason that request_decode() gives, its NUL included. */
#define REQUEST_REASON_BYTES 320

struct request {
    /* Strings in it are read with arena_string(): they may contain NUL bytes. */
    const struct Metric__HandleMetricRequest *message;

    /* adapter_config as it was sent, both empty if it was absent. Mixer sends the same bytes on
     * every call until its configuration changes, so what is derived from them may be kept by them.
     */
    struct bytes config_type_url;
    struct bytes config_value;

    /* Params.file_path: unchecked, may hold any byte. Empty: standard output. */
    struct bytes file_path;
};

/* Decodes `wire`, a serialized metric.HandleMetricRequest, into `arena`, which the caller has
 * reset.
 *
 * An adapter_config that is absent stands for Params without a file_path; one that names any other
 * type than Params is refused, one that names no type is taken for Params.
 *
 * Returns 0; -EBADMSG if the bytes are malformed or adapter_config is of another type
 * (INVALID_ARGUMENT); -ENOMEM if the arena's limit was reached (RESOURCE_EXHAUSTED). On an error
 * `reason` receives a line of printable ASCII that says what is wrong and where, as
 * "instances[3].dimensions[0].key: length 4000 at byte 120 runs past the end". */
int request_decode(struct request *request, struct arena *arena, struct bytes wire,
                   char reason[REQUEST_REASON_BYTES]);

#endif
