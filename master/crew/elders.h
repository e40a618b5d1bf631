/* elders.h -- the processes that run the program from before an execution in place.
 *
 * They are children of this master like its own, but of no slot: nobody replaces them. Workers among them
 * serve on until those of the new crew do, and then drain; the collector among them (and the admin
 * process) ends at its next step, and its successor goes on where the ledgers say. Times are those of the supervisor's
 * clock. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_CREW_ELDERS_H
#define MYGRPCADAPTER_MASTER_CREW_ELDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elder;
struct elders;

/* Takes up a list (copied). Whoever is no worker is told to end. Returns 0 or -ENOMEM; the caller owns *out until
 * elders_close(). */
int elders_open(struct elders **out, const struct elder *list, size_t count, uint64_t now_ms);

/* Frees; NULL-safe; sets *ep to NULL. Leaves processes alone. */
void elders_close(struct elders **ep);

/* True if `pid`, which was reaped with the wait status `status`, was one of them: its obituary is
 * written. */
bool elders_bury(struct elders *elders, pid_t pid, int status, uint64_t now_ms);

/* Some worker is there; some worker is there and has not been told to end; anybody is there. */
bool elders_have_workers(const struct elders *elders);
bool elders_serve(const struct elders *elders);
bool elders_are_left(const struct elders *elders);

/* Tells the workers that have not been told to drain, as others serve (SIGINT). */
void elders_drain(struct elders *elders, uint64_t now_ms);

/* Tells everybody to end at once (SIGQUIT); who is still there at `kill_at_ms` is killed. */
void elders_stop(struct elders *elders, uint64_t kill_at_ms);

/* Kills those whose time is over. */
void elders_tick(struct elders *elders, uint64_t now_ms);

/* When elders_tick() may have something to do; UINT64_MAX if never. */
uint64_t elders_deadline_ms(const struct elders *elders);

/* Copies those that are left to `list`, as the next program is to know them. Returns how many; with
 * `list` NULL only counts. */
size_t elders_export(const struct elders *elders, struct elder *list, uint64_t now_ms);

#endif
