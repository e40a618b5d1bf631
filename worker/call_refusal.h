/* call_refusal.h -- that a call is refused: for which cause, and in which words. Runs in a worker.
 *
 * Whoever finds that a call cannot be taken fills one and returns false; whoever stands between
 * passes it on; the service that has the call answers and counts by it. A call that is refused is
 * no concern of the collector's: its outputs refuse in another way (collector/output/refusal.h).
 */
#ifndef MYGRPCADAPTER_WORKER_CALL_REFUSAL_H
#define MYGRPCADAPTER_WORKER_CALL_REFUSAL_H

#include <stdbool.h>

#include "common/refusal_causes.h"

#define CALL_REFUSAL_TEXT_BYTES 384

struct call_refusal {
    enum refusal_cause cause;

    /* For the client and the log: a line of printable ASCII. */
    char text[CALL_REFUSAL_TEXT_BYTES];
};

/* Fills *refusal. Whatever a client sent must have been through quote_bytes() (base/quote.h); a
 * text too long is cut. Returns false, so that a caller can `return call_refuse(...)`. */
bool call_refuse(struct call_refusal *refusal, enum refusal_cause cause, const char *format, ...)
    __attribute__((cold, format(printf, 3, 4)));

/* The cause for which a call is refused when the system fails with a negative errno. */
enum refusal_cause call_refusal_cause_of_error(int error);

#endif
