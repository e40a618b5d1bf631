/* elders.h -- the processes that run the program from before an execution in place.
 *
 * They are children of this master like its own, but of no slot: nobody replaces them. Workers
 * among them serve on until those of the new crew do, and then drain. The others, the collector
 * and the admin process, are told to end as soon as they are taken up: the new collector goes on
 * where the ledgers say.
 *
 *   SERVING --elders_drain, elders_stop--> ENDING --elders_tick, when its time is over--> KILLED
 *
 * Times are those of the supervisor's clock. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_CREW_ELDERS_H
#define MYGRPCADAPTER_MASTER_CREW_ELDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elder;
struct elders;

/* Takes up a list (copied; succession.h). Whoever is no worker is told to end. Returns 0 or
 * -ENOMEM; the caller owns *out until elders_close(). */
int elders_open(struct elders **out, const struct elder *list, size_t count, uint64_t now_ms);

/* Frees; NULL-safe; sets *ep to NULL. Leaves processes alone. */
void elders_close(struct elders **ep);

/* True if `pid`, which was reaped with the wait status `status`, was one of them: its obituary is
 * written. */
bool elders_bury(struct elders *elders, pid_t pid, int status, uint64_t now_ms);

/* True if some worker is there. */
bool elders_have_workers(const struct elders *elders);

/* True if some worker is there that has not been told to end. */
bool elders_serve(const struct elders *elders);

/* True if anybody is there. */
bool elders_are_left(const struct elders *elders);

/* Tells the workers that have not been told to drain while others serve (CHILD_ORDER_RETIRE). */
void elders_drain(struct elders *elders, uint64_t now_ms);

/* Tells everybody to end at once (CHILD_ORDER_STOP); who is still there at `kill_at_ms` is killed.
 */
void elders_stop(struct elders *elders, uint64_t kill_at_ms);

/* Kills those whose time is over. */
void elders_tick(struct elders *elders, uint64_t now_ms);

/* When elders_tick() may have something to do; SLOT_NEVER if never. */
uint64_t elders_deadline_ms(const struct elders *elders);

/* How many there are. */
size_t elders_count(const struct elders *elders);

/* Copies all of them to `list`, which has room for elders_count(), as the next program is to know
 * them. */
void elders_export(const struct elders *elders, struct elder *list, uint64_t now_ms);

#endif
