/* listener.h -- the listening socket: bound once by the master, inherited by every worker.
 *
 * It stays open across worker deaths, so that connections waiting in its queue are served by a
 * successor. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_LISTENER_H
#define MYGRPCADAPTER_MASTER_LISTENER_H

#include <stdbool.h>

struct complaint;
struct listener;
struct settings;

/* True if `address` is a numeric IPv4 or IPv6 address, the latter with or without brackets. */
bool listener_address_is_valid(const char *address);

/* Binds listen.address and listen.port and listens: non-blocking, close-on-exec, with the TCP
 * keepalive that accepted sockets inherit. `::` takes IPv4, too. Where IPv6 is off, 0.0.0.0 is
 * taken in its place, and the log says so. An address in use is tried again for up to two seconds.
 *
 * On success it returns 0, and the caller owns *out until listener_close(). Else it fills
 * *complaint and returns EX_CONFIG for a bad address, EX_UNAVAILABLE for one that is in use or not
 * of this machine, EX_NOPERM or EX_OSERR. */
int listener_open(struct listener **out, const struct settings *settings,
                  struct complaint *complaint);

/* Listens on a TCP socket that is bound and listening already: it becomes non-blocking and
 * close-on-exec, with keepalive and listen.backlog as they are here. On success returns 0 and
 * *out owns `fd`; else fills *complaint and returns EX_OSERR. */
int listener_adopt(struct listener **out, int fd, const struct settings *settings,
                   struct complaint *complaint);

/* Says in the log if the socket is not the one that listen.address and listen.port ask for. */
void listener_compare(const struct listener *listener, const struct settings *settings);

/* The descriptor; owned by the listener. */
int listener_fd(const struct listener *listener);

/* What was really bound, e.g. `[::]:8000`; owned by the listener. */
const char *listener_name(const struct listener *listener);

/* Closes and frees; NULL-safe; sets *lp to NULL. Children that inherited the socket keep it. */
void listener_close(struct listener **lp);

#endif
