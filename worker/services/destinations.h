/* destinations.h -- which output a client's file_path means, checked, and remembered for a moment.
 *
 * A handler sends the same path with every call, so what was found out about it is kept, and found
 * out anew once a second: a volume may change under a path that was good. Runs in a worker, in its
 * main thread only.
 */
#ifndef MYGRPCADAPTER_WORKER_SERVICES_DESTINATIONS_H
#define MYGRPCADAPTER_WORKER_SERVICES_DESTINATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "segment/segment_format.h"

struct call_refusal;
struct destinations;
struct heritage;

/* Makes an empty memory of paths. Returns 0 or a negative errno; the caller owns *out. */
int destinations_open(struct destinations **out, const struct heritage *heritage);

/* Whether there is room for the record of the call that is looked at, whose output has a name of so
 * many bytes; if not, why the call is refused. */
typedef bool destinations_has_room(void *context, size_t name_bytes,
                                   struct call_refusal *refusal_r);

/* Has that asked, with `context`, before a name that is not known to be accepted is counted against
 * output.max_files. Without it there always is room. */
void destinations_ask_for_room(struct destinations *destinations, destinations_has_room *has_room,
                               void *context);

/* The output that `file_path` (any bytes) means: *kind_r and *name_r, which is good until the next
 * call. An empty path is standard output. Returns true, or false and why the call is refused. */
bool destinations_resolve(struct destinations *destinations, struct bytes file_path,
                          uint64_t now_ms, enum segment_kind *kind_r, struct bytes *name_r,
                          struct call_refusal *refusal_r);

/* Frees; NULL-safe; sets *dp to NULL. */
void destinations_close(struct destinations **dp);

#endif
