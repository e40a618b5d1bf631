/* connection_age.h -- makes every connection of the process too old for gRPC, when we say so.
 *
 * A drain must send GOAWAY and go on to take calls, since a client begins some until it has seen
 * it. gRPC C core does so only for a connection that has reached grpc.max_connection_age_ms; a
 * server that is shut down refuses such calls. So the server is made with an age that no connection
 * reaches, and the timers that wait for it are kept here (connection_age.cc), in an event engine
 * that hands everything else to gRPC's own.
 *
 * Runs in a worker; from any thread.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_CONNECTION_AGE_H
#define MYGRPCADAPTER_WORKER_GRPC_CONNECTION_AGE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The server's grpc.max_connection_age_ms: 17 days, and gRPC makes it up to a tenth more or
 * less. */
#define CONNECTION_AGE_MS 1500000000

/* Puts the event engine in: once, after grpc_init() (gRPC's own cannot be made before) and before
 * there is a server. */
void connection_age_prepare(void);

/* Every connection there is has reached its age: gRPC sends each a GOAWAY, takes the calls that its
 * client makes until it has seen it, and closes it when they are answered. */
void connection_age_reach(void);

#ifdef __cplusplus
}
#endif

#endif
