/* volume_reserve.h -- the room that segments leave free on their volume, so that all that is in
 * them can be delivered.
 *
 * Segments are made before there is anything in them. If they took the last blocks, nothing could
 * be written to the outputs, so no segment could be removed, and that would be so until somebody
 * made room. So a worker makes a segment only if, with it, as much is free as merging may still
 * need. All bytes of a segment count, those that hold nothing yet too: when they are filled nobody
 * asks again. That some are merged already is not known here. Runs in a worker, in the thread that
 * makes segments.
 */
#ifndef MYGRPCADAPTER_WORKER_VOLUME_RESERVE_H
#define MYGRPCADAPTER_WORKER_VOLUME_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

struct call_refusal;
struct heritage;

/* Whether enough is free for segments of `segment_bytes` in all, of which `missing_bytes` are still
 * to be allocated. Returns true, also where it cannot be known how much is free, or false and why
 * not. */
bool volume_reserve_is_kept(const struct heritage *heritage, uint64_t segment_bytes,
                            uint64_t missing_bytes, struct call_refusal *refusal_r);

#endif
