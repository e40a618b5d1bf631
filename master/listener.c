/* listener.c -- binds and listens, or takes a socket that does. Runs in the master before it
 * forks. */
#include "master/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/settings.h"
#include "master/listening.h"

#define NAME_BYTES (INET6_ADDRSTRLEN + sizeof("[]:65535"))

#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 6

struct listener {
    int fd;
    char name[NAME_BYTES];
};

static bool
parse_address(const char *text, union listening_address *address)
{
    char bare[INET6_ADDRSTRLEN];
    size_t length = strlen(text);
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &address->in4.sin_addr) == 1) {
        address->any.sa_family = AF_INET;
        return true;
    }
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= sizeof(bare))
        return false;
    memcpy(bare, text, length);
    bare[length] = '\0';
    address->any.sa_family = AF_INET6;
    return inet_pton(AF_INET6, bare, &address->in6.sin6_addr) == 1;
}

bool
listener_address_is_valid(const char *address)
{
    union listening_address parsed;
    return parse_address(address, &parsed);
}

static void
format_name(const union listening_address *address, char name[NAME_BYTES])
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof(text));
        (void)snprintf(name, NAME_BYTES, "[%s]:%u", text, (unsigned)ntohs(address->in6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &address->in4.sin_addr, text, sizeof(text));
        (void)snprintf(name, NAME_BYTES, "%s:%u", text, (unsigned)ntohs(address->in4.sin_port));
    }
}

static int
set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* Keepalive finds peers that vanished; accepted sockets inherit it. */
static int
set_keepalive(int fd)
{
    int result = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (result == 0)
        result = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    if (result == 0)
        result = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    if (result == 0)
        result = set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    return result;
}

/* What must hold before bind(). */
static int
set_options(int fd, int family)
{
    int result = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (result == 0 && family == AF_INET6)
        result = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (result == 0)
        result = set_keepalive(fd);
    return result;
}

/* One attempt. Returns the listening descriptor or a negative errno. */
static int
try_listen(const union listening_address *address, int backlog)
{
    int family = address->any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int result = set_options(fd, family);
    if (result == 0 && bind(fd, &address->any, listening_size(address)) != 0)
        result = -errno;
    /* With SO_REUSEADDR it is listen(), not bind(), that finds another socket listening. */
    if (result == 0 && listen(fd, backlog) != 0)
        result = -errno;
    if (result == 0)
        return fd;
    (void)close(fd);
    return result;
}

static int
exit_code_of(int error)
{
    switch (error) {
    case -EADDRINUSE:
    case -EADDRNOTAVAIL:
    case -EAFNOSUPPORT:
        return EX_UNAVAILABLE;
    case -EACCES:
    case -EPERM:
        return EX_NOPERM;
    default:
        return EX_OSERR;
    }
}

/* The address that the settings ask for. */
static int
find_address(union listening_address *address, const struct settings *settings,
             struct complaint *complaint)
{
    if (!parse_address(settings->listen_address, address))
        return complain(complaint, EX_CONFIG, "listen.address: \"%s\" is not a numeric address",
                        settings->listen_address);
    INVARIANT(settings->listen_port >= 0 && settings->listen_port <= UINT16_MAX);
    listening_set_port(address, (uint16_t)settings->listen_port);
    return 0;
}

int
listener_open(struct listener **out, const struct settings *settings, struct complaint *complaint)
{
    union listening_address address;
    if (find_address(&address, settings, complaint) != 0)
        return complaint->exit_code;
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return complain(complaint, EX_OSERR, "out of memory");
    listener->fd = listening_begin(&address, try_listen, (int)settings->listen_backlog);
    format_name(&address, listener->name);
    if (listener->fd < 0) {
        int error = listener->fd;
        (void)complain(complaint, exit_code_of(error), "cannot listen on \"%s\": %s",
                       listener->name, strerrordesc_np(-error));
        free(listener);
        return complaint->exit_code;
    }
    socklen_t size = sizeof(address);
    /* Port 0 has become a real one. */
    if (getsockname(listener->fd, &address.any, &size) == 0)
        format_name(&address, listener->name);
    *out = listener;
    return 0;
}

/* Makes a socket that others bound as one of our own is. Returns 0 or a negative errno. */
static int
tame(int fd, int backlog, union listening_address *address)
{
    socklen_t size = sizeof(*address);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || getsockname(fd, &address->any, &size) != 0)
        return -errno;
    int result = set_keepalive(fd);
    if (result == 0 && listen(fd, backlog) != 0)
        result = -errno;
    return result;
}

void
listener_compare(const struct listener *listener, const struct settings *settings)
{
    union listening_address wanted;
    char name[NAME_BYTES];
    struct complaint complaint;
    if (find_address(&wanted, settings, &complaint) != 0)
        return;
    format_name(&wanted, name);
    if (settings->listen_port == 0 || strcmp(name, listener->name) == 0)
        return;
    log_write(LOG_LEVEL_WARNING,
              "listening on the socket that was passed; listen.address and listen.port differ from "
              "it and are not used",
              LOG_FIELDS(log_string("passed", listener->name), log_string("configured", name)));
}

int
listener_adopt(struct listener **out, int fd, const struct settings *settings,
               struct complaint *complaint)
{
    union listening_address address;
    INVARIANT(fd >= 0);
    memset(&address, 0, sizeof(address));
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return complain(complaint, EX_OSERR, "out of memory");
    int result = tame(fd, (int)settings->listen_backlog, &address);
    if (result != 0) {
        free(listener);
        return complain(complaint, EX_OSERR, "cannot listen on the socket that was passed: %s",
                        strerrordesc_np(-result));
    }
    listener->fd = fd;
    format_name(&address, listener->name);
    *out = listener;
    return 0;
}

int
listener_fd(const struct listener *listener)
{
    return listener->fd;
}

const char *
listener_name(const struct listener *listener)
{
    return listener->name;
}

void
listener_close(struct listener **lp)
{
    if (*lp == NULL)
        return;
    (void)close((*lp)->fd);
    free(*lp);
    *lp = NULL;
}
