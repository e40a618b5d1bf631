/* library_log.h -- what gRPC itself has to say goes into our log. Runs in a worker. */
#ifndef MYGRPCADAPTER_WORKER_GRPC_LIBRARY_LOG_H
#define MYGRPCADAPTER_WORKER_GRPC_LIBRARY_LOG_H

/* Takes gRPC's lines from now on, one in LOG_BRAKE_INTERVAL_MS at most. By itself it prints them to
 * standard error, waits for its reader, and knows nothing of log.format. Call it before
 * grpc_init(). */
void library_log_take(void);

#endif
