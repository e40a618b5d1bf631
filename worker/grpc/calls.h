/* calls.h -- the calls that a server takes: those of its methods, and of methods that it does not
 * have.
 *
 * Knows the kinds of calls (unary_call.h, stream_call.h, unknown_call.h), so that the server need
 * not. In the main thread of a worker.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_CALLS_H
#define MYGRPCADAPTER_WORKER_GRPC_CALLS_H

struct calls;
struct commit;
struct methods;
struct server;

/* Starts a server of `methods`, which the caller keeps alive as long as it, and asks for the first
 * calls. Answers that are to wait for the disk wait with `commit` (borrowed; NULL if no method has
 * such). Returns 0 or -ENOMEM; the caller owns *out, and keeps it until the server is closed. */
int calls_open(struct calls **out, struct server *server, const struct methods *methods,
               struct commit *commit);

/* Frees, after server_close(); NULL-safe; sets *cp to NULL. */
void calls_close(struct calls **cp);

#endif
