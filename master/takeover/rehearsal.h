/* rehearsal.h -- a trial run of the program that is to take over: it reads its configuration and
 * the handover, says whether it could go on with them, and ends. The running master goes on
 * meanwhile. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_TAKEOVER_REHEARSAL_H
#define MYGRPCADAPTER_MASTER_TAKEOVER_REHEARSAL_H

#include <stdbool.h>
#include <stdint.h>

struct handover;
struct rehearsal;
struct sd_event;

/* What came of it. `refusal` is NULL if the program can take over; else it is the last line that
 * the program said, or, if it said nothing, what is known. */
typedef void (*rehearsal_ended)(void *context, const char *refusal);

/* Executes the file `path` in a child, with `argv` and `-t` behind its first word, and with
 * *handover (borrowed for the call; its HANDOVER_FD_SETTINGS is inherited). `ended` is called
 * once, from `loop`: when the child has ended, or after `limit_ms`. Whoever reaps children reaps
 * this one. Returns 0 or a negative errno; the caller owns *out until rehearsal_close(), which
 * must not be called from `ended`.
 */
int rehearsal_start(struct rehearsal **out, struct sd_event *loop, const char *path,
                    char *const argv[], const struct handover *handover, uint64_t limit_ms,
                    rehearsal_ended ended, void *context);

/* Frees, and kills a child that still runs; NULL-safe; sets *rp to NULL. */
void rehearsal_close(struct rehearsal **rp);

#endif
