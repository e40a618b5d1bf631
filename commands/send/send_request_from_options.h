/* send_request_from_options.h -- the request that options describe. Runs in the process of
 * `mygrpcadapter send`. */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_FROM_OPTIONS_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_FROM_OPTIONS_H

struct send_options;
struct send_request;

/* Makes the request that the options describe, in a *request that is all zeros. Returns 0 or
 * -ENOMEM. In either case the caller owns what is in *request. */
int send_request_from_options(struct send_request *request, const struct send_options *options);

#endif
