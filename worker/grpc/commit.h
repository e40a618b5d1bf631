/* commit.h -- group commit: answers that wait until the disk has what they acknowledge.
 *
 * For durability "machine". One thread syncs the journal again and again while somebody waits; all that
 * wait when a sync begins share it. Runs in a worker.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_COMMIT_H
#define MYGRPCADAPTER_WORKER_GRPC_COMMIT_H

struct commit;
struct journal;

/* Somebody who waits; embedded in it, and the commit thread's until `synced` is called. */
struct commit_waiter {
    struct commit_waiter *next;
    /* Called once, in the commit thread. */
    void (*synced)(struct commit_waiter *waiter);
};

/* Starts the thread. Returns 0 or a negative errno; the caller owns *out and keeps the journal
 * alive. */
int commit_start(struct commit **out, struct journal *journal);

/* Has `waiter` called when everything appended to the journal so far is on the disk. */
void commit_wait(struct commit *commit, struct commit_waiter *waiter);

/* Ends the thread, when nobody waits any more, and frees; NULL-safe; sets *cp to NULL. */
void commit_stop(struct commit **cp);

#endif
