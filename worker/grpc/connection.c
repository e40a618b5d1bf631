/* connection.c -- accepts a connection, knows who its client is, and lets go of it. Runs in a
 * worker, in the acceptor's thread. */
#include "worker/grpc/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/invariant.h"

_Static_assert(CONNECTION_PEER_BYTES >= INET6_ADDRSTRLEN, "an address fits");

/* Notes who the client is. Sockets without an address are those of the machine itself. */
static void
set_peer(struct connection *connection, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)peer;
        (void)inet_ntop(AF_INET, &in->sin_addr, connection->peer, sizeof(connection->peer));
        connection->peer_port = ntohs(in->sin_port);
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, connection->peer, sizeof(connection->peer));
        connection->peer_port = ntohs(in6->sin6_port);
    } else {
        (void)strcpy(connection->peer, "unix");
    }
}

/* Accepts into `connection`, which needs two descriptors. The one to watch by is made first, as a
 * copy of the listening socket that only holds its number: so it is known that there are two
 * before a connection is taken. Returns 0 or a negative errno. */
static int
accept_socket(struct connection *connection, int listener_fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_bytes = sizeof(peer);
    connection->watch_fd = fcntl(listener_fd, F_DUPFD_CLOEXEC, 0);
    if (connection->watch_fd < 0)
        return -errno;
    if (!descriptors_above(connection->watch_fd, 1 + CONNECTION_FDS_RESERVED))
        return -EMFILE;
    connection->fd =
        accept4(listener_fd, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection->fd < 0 || dup3(connection->fd, connection->watch_fd, O_CLOEXEC) < 0)
        return -errno;
    set_peer(connection, &peer);
    return 0;
}

int
connection_accept(struct connection **out, int listener_fd, uint64_t now_ms)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return -ENOMEM;
    list_init(&connection->link);
    connection->fd = -1;
    connection->watch_fd = -1;
    connection->since_ms = now_ms;
    int result = accept_socket(connection, listener_fd);
    if (result != 0) {
        connection_close(&connection);
        return result;
    }
    int on = 1;
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *out = connection;
    return 0;
}

bool
connection_is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM ||
           error == -ENOSPC;
}

int
connection_take_fd(struct connection *connection)
{
    int fd = connection->fd;
    INVARIANT(fd >= 0);
    connection->fd = -1;
    return fd;
}

void
connection_close(struct connection **cp)
{
    struct connection *connection = *cp;
    if (connection == NULL)
        return;
    *cp = NULL;
    INVARIANT(list_is_empty(&connection->link));
    if (connection->fd >= 0)
        (void)close(connection->fd);
    if (connection->watch_fd >= 0)
        (void)close(connection->watch_fd);
    free(connection);
}
