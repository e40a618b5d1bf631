/* channel.h -- gRPC as a person's command uses it: one connection to a channel, and no surprises.
 * Runs in the processes of `mygrpcadapter send` and `mygrpcadapter health`. */
#ifndef MYGRPCADAPTER_COMMANDS_CHANNEL_H
#define MYGRPCADAPTER_COMMANDS_CHANNEL_H

#include <grpc/grpc.h>

/* Initialises gRPC: quiet, with names resolved as the rest of the machine does. grpc_shutdown()
 * ends it. */
void channel_set_up_grpc(void);

/* A channel to `address` (HOST:PORT or unix:///PATH) with a connection of its own: no retries, no
 * proxy, no service config. The caller owns it: grpc_channel_destroy(). */
grpc_channel *channel_open(const char *address);

#endif
