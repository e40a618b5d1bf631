/* channel.c -- the arguments of a channel. Runs in the processes of `mygrpcadapter send` and
 * `mygrpcadapter health`. */
#include "commands/channel.h"

#include <stdlib.h>

#include <grpc/grpc_security.h>

/* gRPC's own back-off between attempts to connect goes up to two minutes; a person is waiting. */
#define RECONNECT_MS_FIRST 100
#define RECONNECT_MS_MAX 1000

static grpc_arg
integer_argument(char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = key, .value.integer = value};
}

void
channel_set_up_grpc(void)
{
    /* A variable that the person has set stays as it is. What gRPC would log of a failed connection
     * is in the status of the calls. */
    (void)setenv("GRPC_VERBOSITY", "NONE", 0);
    /* Names are resolved as by the rest of the machine. c-ares 1.18, which gRPC would use, leaks
     * ten bytes for each "localhost". */
    (void)setenv("GRPC_DNS_RESOLVER", "native", 0);
    grpc_init();
}

grpc_channel *
channel_open(const char *address)
{
    static char local_pool[] = GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL;
    static char first_backoff[] = GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS;
    static char max_backoff[] = GRPC_ARG_MAX_RECONNECT_BACKOFF_MS;
    static char retries[] = GRPC_ARG_ENABLE_RETRIES;
    static char http_proxy[] = GRPC_ARG_ENABLE_HTTP_PROXY;
    static char service_config[] = GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION;
    static char channelz[] = GRPC_ARG_ENABLE_CHANNELZ;
    grpc_arg arguments[] = {
        /* Without it, channels to one address share a connection. */
        integer_argument(local_pool, 1),
        integer_argument(first_backoff, RECONNECT_MS_FIRST),
        integer_argument(max_backoff, RECONNECT_MS_MAX),
        integer_argument(retries, 0),
        integer_argument(http_proxy, 0),
        integer_argument(service_config, 1),
        integer_argument(channelz, 0),
    };
    const grpc_channel_args channel_arguments = {
        .num_args = sizeof(arguments) / sizeof(arguments[0]), .args = arguments};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(address, credentials, &channel_arguments);
    grpc_channel_credentials_release(credentials);
    return channel;
}
