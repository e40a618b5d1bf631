/* acceptor.h -- the thread of a worker that takes connections and orders.
 *
 * Who takes the next connection is agreed on through the scoreboard: the willing worker with the
 * fewest connections watches the listening socket, the others wait for their turn. So connections,
 * few and long-lived as Mixer's are, spread evenly and not by chance. A worker is willing while its
 * main loop turns, it is not draining, and it has fewer than workers.max_connections; what it says
 * of itself holds for a moment only, so that one that hangs or is stopped drops out by itself.
 *
 * The same thread watches each connection for its end, the signals, and the master's life. Runs in
 * a worker.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_ACCEPTOR_H
#define MYGRPCADAPTER_WORKER_GRPC_ACCEPTOR_H

struct acceptor;
struct heritage;
struct server;

/* Starts the thread. It takes over `signal_fd`, gives connections to `server`, and drains it when
 * told to; it closes the worker's listening socket then. Returns 0 or a negative errno; the caller
 * owns *out. */
int acceptor_start(struct acceptor **out, const struct heritage *heritage, struct server *server,
                   int signal_fd);

/* Ends the thread and frees; NULL-safe; sets *ap to NULL. */
void acceptor_stop(struct acceptor **ap);

#endif
