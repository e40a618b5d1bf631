/* send_request_from_file.h -- a request that stands in a file. Runs in the process of
 * `mygrpcadapter send`. */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_FROM_FILE_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_REQUEST_FROM_FILE_H

struct send_request;

/* Reads the request from a file as it is, into a *request that is all zeros. Returns 0 or a
 * negative errno: of the file, -EFBIG if it has more than 64 MiB, -ENOMEM. In either case the
 * caller owns what is in *request. */
int send_request_from_file(struct send_request *request, const char *path);

#endif
