/* refusal.h -- an output that cannot be written for now: when it is tried again, and since when its
 * records wait. However long that lasts, they wait. Runs in the collector; kept by output.c. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_REFUSAL_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* Zero it before use. */
struct refusal {
    /* It refuses now. */
    bool stands;
    /* Why it refused last: a negative errno. */
    int error;
    /* The present back-off; 0 = its next refusal is the first. */
    uint64_t retry_ms;
    uint64_t retry_at_ms;
    /* When the oldest record that waits was appended, since the epoch; 0 = none is known to
     * wait. */
    uint64_t oldest_ns;
    struct log_brake brake;
};

/* The output, `name` for the log, has refused with the negative errno `error`. */
void refusal_begin(struct refusal *refusal, const char *name, int error, uint64_t now_ms);

/* It could take something now; whether it takes all that waits is still to be seen. */
void refusal_note_ready(struct refusal *refusal);

/* It has taken something: should it refuse again, the back-off begins anew. */
void refusal_note_progress(struct refusal *refusal);

/* It has taken all that there was for it. */
void refusal_end(struct refusal *refusal, const char *name);

/* A record waits for it. `appended_ns` as in struct segment_record. */
void refusal_add_waiting(struct refusal *refusal, uint64_t appended_ns);

/* Milliseconds until it is to be tried again; UINT64_MAX if it does not refuse. */
uint64_t refusal_retry_in_ms(const struct refusal *refusal, uint64_t now_ms);

#endif
