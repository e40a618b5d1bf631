/* request.h -- a HandleMetric call's request, decoded where it lies.
 *
 * Nothing is copied and no tree is made: what is around the instances is read first, then one
 * instance after the other, and all that is handed out points into the received bytes. It is as
 * lenient and as strict as the Go adapter's decoder (wire.h). Of a field that may come once and
 * comes twice the last counts; messages are merged, except those in a oneof or a map. Runs in a
 * worker, one reader to a thread.
 */
#ifndef MYGRPCADAPTER_WORKER_DECODE_REQUEST_H
#define MYGRPCADAPTER_WORKER_DECODE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "worker/decode/value.h"
#include "worker/decode/wire.h"

struct call_refusal;
struct map;

/* The message of an adapter_config, as it stands after the last '/' of its type_url. */
#define REQUEST_PARAMS_TYPE "adapter.mygrpcadapter.config.Params"

struct request {
    /* adapter_config as it was sent, both empty if it was absent. */
    struct bytes config_type_url;
    struct bytes config_value;

    /* Params.file_path: unchecked, may hold any byte. Empty: standard output. */
    struct bytes file_path;

    /* How many instances have been read so far. */
    size_t instances_read;

    /* A map for whoever renders the string maps in an instance. */
    struct map *strings;

    /* The rest is for the functions of this module only. What is left to be read. */
    struct bytes left;

    struct wire_fault fault;
    struct map *dimensions;
    size_t bytes_max;

    /* How many more bytes map entries that run past their end may have read twice. */
    size_t twice_readable_bytes;
};

/* An instance: valid until the next is read. */
struct instance {
    struct bytes name;
    struct value value;
    /* Not sorted. */
    struct map *dimensions;
};

/* Makes a reader of requests of up to `bytes_max` bytes. Returns 0 or a negative errno; the
 * caller owns *out. */
int request_open(struct request **out, size_t bytes_max);

/* Frees; NULL-safe; sets *rp to NULL. */
void request_close(struct request **rp);

/* Begins to read `wire`, a serialized metric.HandleMetricRequest, which the caller keeps until
 * the last instance is read, and reads what is not instances.
 *
 * An adapter_config that is absent stands for Params without a file_path; one that names any
 * other type than Params is refused, one that names no type is taken for Params.
 *
 * Returns true, or false and why the call is refused, as "instances[3].dimensions[0].key: length
 * 4000 at byte 120 runs past the end". */
bool request_begin(struct request *request, struct bytes wire, struct call_refusal *refusal_r);

/* Reads the next instance. Returns 1; 0 if there is none any more; -1 and why if the call is
 * refused. */
int request_next(struct request *request, struct instance *instance_r,
                 struct call_refusal *refusal_r);

#endif
