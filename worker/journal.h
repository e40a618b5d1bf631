/* journal.h -- the chain of segments that one worker appends to.
 *
 * Keeps a segment open, seals a full one and begins the next, within segments.limit_bytes, and
 * wakes the collector. Crash contract: what journal_append() returned 0 for survives the process.
 * Runs in a worker, in its main thread only.
 */
#ifndef MYGRPCADAPTER_WORKER_JOURNAL_H
#define MYGRPCADAPTER_WORKER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "segment/segment_format.h"

struct call_refusal;
struct heritage;
struct journal;

/* Makes the journal of the worker and begins its first segment. A volume without room is no error
 * here: appends fail until there is some. Returns 0 or a negative errno; the caller owns *out. */
int journal_open(struct journal **out, const struct heritage *heritage);

/* Has an open segment with room for a record whose name and payload have so many bytes together:
 * what journal_append() does first, for a caller who must know before it does something else.
 * Returns true, or false and why not; then journal_append() would refuse, too. */
bool journal_has_room(struct journal *journal, uint64_t body_bytes, uint64_t now_ms,
                      struct call_refusal *refusal_r);

/* With durability "machine": has another thread make segments ahead and seal them from now on, so
 * that the main thread never waits for the disk. Without it each is done in its place. Returns 0 or
 * a negative errno. */
int journal_start_helper(struct journal *journal);

/* Appends one record. Returns true, or false with nothing appended and the reason in *refusal_r.
 * After a failure that no single record is the cause of, the next attempt to make a segment is a
 * moment later; until then it fails alike. */
bool journal_append(struct journal *journal, const struct segment_record *record, uint64_t now_ms,
                    struct call_refusal *refusal_r);

/* With durability "machine": waits until everything appended before the call is on the disk. May be
 * called from another thread. A disk that cannot ends the process: no answer could be trusted. */
void journal_sync(struct journal *journal);

/* Looks whether the volume is in its place, tries again to make a segment, if the last try failed
 * and a moment has passed, and tells the scoreboard whether calls are refused: without calls too,
 * service resumes by itself. To be called about ten times a second. */
void journal_look(struct journal *journal, uint64_t now_ms);

/* Seals the open segment and frees; NULL-safe; sets *jp to NULL. */
void journal_close(struct journal **jp);

#endif
