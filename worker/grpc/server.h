/* server.h -- the gRPC server of a worker: one completion queue, one thread that turns its loop.
 *
 * server_run() is the worker's main loop; server_add_connection(), server_forget_connection(),
 * server_drain(), server_retire() and server_finish() may be called from another thread. What calls
 * it takes is not its own affair: calls.h.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_SERVER_H
#define MYGRPCADAPTER_WORKER_GRPC_SERVER_H

#include <stdint.h>

struct connection;
struct scoreboard_slot;
struct server;
struct settings;

/* Makes a server with the limits of `settings`; gRPC must be initialised. calls_open() starts it.
 * It listens nowhere: connections are given to it. Its loop beats in `slot`. Returns 0 or -ENOMEM;
 * the caller owns *out. */
int server_open(struct server **out, const struct settings *settings, struct scoreboard_slot *slot);

/* Serves a connection, whose socket it takes over. The connection itself stays the caller's. */
void server_add_connection(struct server *server, struct connection *connection);

/* Must be called before the connection is closed. */
void server_forget_connection(struct server *server, const struct connection *connection);

/* Begins the drain: GOAWAY to every connection. Calls are taken and answered on, as a client makes
 * them until it has seen the GOAWAY, and each connection ends when its last one is answered. What
 * is left at `deadline_ms` (CLOCK_MONOTONIC) is cancelled. Only the first call counts. */
void server_drain(struct server *server, uint64_t deadline_ms);

/* The same when others take the clients over: the GOAWAYs are sent by the loop, soon, in a pause of
 * its answers, so that a client that makes a call for each answer it gets has understood them by
 * then. */
void server_retire(struct server *server, uint64_t deadline_ms);

/* Ends the drain: no connection is left, or none is wanted any more. */
void server_finish(struct server *server);

/* Serves until it has finished. Returns 0, or -ETIMEDOUT if connections would not end even a second
 * after the deadline; then the server must not be closed. */
int server_run(struct server *server);

/* Frees a server whose server_run() returned 0, before calls_close(); NULL-safe; sets *sp to
 * NULL. */
void server_close(struct server **sp);

#endif
