/* segment_maker.h -- makes a segment if there is room for it: within segments.limit_bytes, and on
 * the volume. Runs in a worker, in the main thread or in that of the segment helper. */
#ifndef MYGRPCADAPTER_WORKER_SEGMENT_MAKER_H
#define MYGRPCADAPTER_WORKER_SEGMENT_MAKER_H

#include <stdbool.h>

struct call_refusal;
struct heritage;
struct segment_order;
struct segment_writer;

/* Makes a segment as it is ordered. Returns true, with *writer_r the caller's, or false and why
 * not, with nothing left behind. */
bool segment_maker_make(const struct heritage *heritage, const struct segment_order *order,
                        struct segment_writer **writer_r, struct call_refusal *refusal_r);

#endif
