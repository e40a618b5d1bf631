/* acceptor.h -- the thread of a worker that takes connections and orders.
 *
 * It accepts when it is the worker's turn (turn.h), so that connections, few and long-lived as
 * Mixer's are, spread evenly and not by chance. It watches each connection for its end, the
 * signals, and the master's life, and it decides when a drain goes on. Runs in a worker, beside the
 * main thread.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_ACCEPTOR_H
#define MYGRPCADAPTER_WORKER_GRPC_ACCEPTOR_H

struct acceptor;
struct heritage;
struct server;

/* Starts the thread. It takes over `signal_fd`, even if it fails, gives connections to `server`,
 * and drains it when told to; it closes the worker's listening socket then. Returns 0 or a negative
 * errno; the caller owns *out. */
int acceptor_start(struct acceptor **out, const struct heritage *heritage, struct server *server,
                   int signal_fd);

/* Ends the thread, lets go of the connections that are left, which takes the server, and frees;
 * NULL-safe; sets *ap to NULL. */
void acceptor_stop(struct acceptor **ap);

#endif
