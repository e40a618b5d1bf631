/* cork.h -- lets the answers to a burst of calls leave together.
 *
 * gRPC writes each answer with a system call of its own, and each write sends a segment on its way:
 * for a small call that is a third of all it costs. While the cork is in (TCP_CORK on every
 * connection), what is written only queues up; pulled out, it leaves in as few segments as hold it.
 * Who puts the cork in must pull it soon, and before waiting for anything: burst.h says when. Runs
 * in a worker: its main thread puts the cork in and pulls it, connections come and go in the
 * acceptor's.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_CORK_H
#define MYGRPCADAPTER_WORKER_GRPC_CORK_H

#include <stdbool.h>
#include <stddef.h>

struct cork;

/* Makes one for at most `connections_max` connections; those beyond are written as ever. Returns 0
 * or -ENOMEM; the caller owns *out. */
int cork_open(struct cork **out, size_t connections_max);

/* Adds a connection: `fd` stays the caller's, who must call cork_remove() before closing it. Any
 * thread. */
void cork_add(struct cork *cork, int fd);

/* Pulls the cork for a connection and removes it. Any thread. */
void cork_remove(struct cork *cork, int fd);

/* How many connections there are. */
size_t cork_connections(const struct cork *cork);

/* Puts it in, and pulls it. */
void cork_put(struct cork *cork);
void cork_pull(struct cork *cork);

/* Whether it is in. For the thread that puts and pulls it. */
bool cork_is_in(const struct cork *cork);

/* Frees; NULL-safe; sets *cp to NULL. */
void cork_close(struct cork **cp);

#endif
