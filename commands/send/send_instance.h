/* send_instance.h -- one metric instance as a protobuf message, made of the command line's options.
 *
 * It lives while the request is made. Runs in the process of `mygrpcadapter send`; calls nothing of
 * gRPC.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_INSTANCE_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_INSTANCE_H

#include <stdint.h>

struct send_instance;
struct send_options;
struct Metric__InstanceMsg;

/* What --unique's dimension holds until the number of a call is written over it; always the last
 * dimension. */
#define SEND_INSTANCE_CALL_PLACEHOLDER INT64_MAX

/* Makes the instance, with the dimension of --unique if the options want it. It borrows the
 * options' strings. Returns 0 or -ENOMEM. The caller owns *out. */
int send_instance_open(struct send_instance **out, const struct send_options *options);

/* Frees; NULL-safe; sets *instance_p to NULL. */
void send_instance_close(struct send_instance **instance_p);

/* The message, ready to be packed; it lives as long as the instance. */
struct Metric__InstanceMsg *send_instance_message(struct send_instance *instance);

#endif
