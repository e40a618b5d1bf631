/* commit.h -- group commit: answers that wait until the disk has what they acknowledge.
 *
 * For durability "machine". One thread syncs again and again while somebody waits; all that wait
 * when a sync begins share it. Runs in a worker, beside the main thread, which is the one that
 * waits.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_COMMIT_H
#define MYGRPCADAPTER_WORKER_GRPC_COMMIT_H

#include "base/list.h"

struct commit;

/* Somebody who waits; embedded in it, and the commit thread's until `synced` is called. */
struct commit_waiter {
    struct list_link link;
    /* Called once, in the commit thread, which does not touch the waiter after it. */
    void (*synced)(struct commit_waiter *waiter);
};

/* Starts the thread. It calls `sync` with `context`, which returns when everything that was
 * appended before the call is on the disk, and does not return if that cannot be. Returns 0 or a
 * negative errno; the caller owns *out and keeps the context alive. */
int commit_start(struct commit **out, void (*sync)(void *context), void *context);

/* Has `waiter` called when everything appended so far is on the disk. Any thread. */
void commit_wait(struct commit *commit, struct commit_waiter *waiter);

/* Ends the thread when nobody waits any more, and frees; NULL-safe; sets *cp to NULL. */
void commit_stop(struct commit **cp);

#endif
