/* connection.h -- one connection of a worker, from its accept to its end.
 *
 * gRPC takes the socket over and does not say when the connection ends, so a second descriptor of
 * the same socket stays here, to watch it by. Owned by the acceptor, and used in its thread only.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_CONNECTION_H
#define MYGRPCADAPTER_WORKER_GRPC_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* Room for an address of IPv6, or an IPv4 one written as such. */
#define CONNECTION_PEER_BYTES 48U

/* So many descriptors of a worker no connection takes: they are for segments, for the paths of
 * outputs that are looked up, and for gRPC. */
#define CONNECTION_FDS_RESERVED 16U

struct connection {
    /* Among those of its acceptor. */
    struct list_link link;
    /* The connected socket; -1 once gRPC has it. */
    int fd;
    /* The same socket, for the connection's whole life: to watch it, and to set its options. */
    int watch_fd;
    /* The client's address, printable, without a port; "unix" where there is none. */
    char peer[CONNECTION_PEER_BYTES];
    uint16_t peer_port;
    /* When it was accepted: CLOCK_MONOTONIC. */
    uint64_t since_ms;
};

/* Takes the connection at the head of a listening socket's queue, non-blocking and without delay of
 * small writes. What cannot be kept is not taken: without memory or a second descriptor, and while
 * no more than CONNECTION_FDS_RESERVED are left of those that the process may have, the connection
 * stays in the queue. Returns 0 or a negative errno: one that connection_is_shortage(),
 * or another if there was none to take after all. The caller owns *out. */
int connection_accept(struct connection **out, int listener_fd, uint64_t now_ms);

/* Whether an error means that this process, or the system, has too little of something. */
bool connection_is_shortage(int error);

/* Gives the connected socket away: whoever calls it owns the descriptor. Once. */
int connection_take_fd(struct connection *connection);

/* Closes the descriptors that it still has and frees; it is in no list any more. NULL-safe; sets
 * *cp to NULL. */
void connection_close(struct connection **cp);

#endif
