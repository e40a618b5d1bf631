/* admin_socket.c -- a path or ADDRESS:PORT, bound. Runs in the master. */
#include "master/admin_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/log.h"
#include "common/settings.h"

#define BACKLOG 64
#define SOCKET_MODE 0660

/* The children of a master that was just killed need a moment to let go of its socket. */
#define IN_USE_RETRY_MS 2000
#define IN_USE_PAUSE_NS 20000000

union address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static bool
parse_port(const char *text, in_port_t *port_r)
{
    char *end;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    *port_r = htons((uint16_t)port);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && port <= UINT16_MAX;
}

static bool
parse_host(char *host, union address *address, socklen_t *size_r)
{
    size_t length = strlen(host);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        address->in6.sin6_family = AF_INET6;
        *size_r = sizeof(address->in6);
        return inet_pton(AF_INET6, host + 1, &address->in6.sin6_addr) == 1;
    }
    address->in4.sin_family = AF_INET;
    *size_r = sizeof(address->in4);
    return inet_pton(AF_INET, host, &address->in4.sin_addr) == 1;
}

static bool
parse(const char *text, union address *address, socklen_t *size_r)
{
    char host[INET6_ADDRSTRLEN + sizeof("[]")];
    memset(address, 0, sizeof(*address));
    if (text[0] == '/') {
        size_t length = strlen(text);
        if (length >= sizeof(address->un.sun_path))
            return false;
        address->un.sun_family = AF_UNIX;
        memcpy(address->un.sun_path, text, length + 1);
        *size_r = sizeof(address->un);
        return true;
    }
    const char *colon = strrchr(text, ':');
    in_port_t port;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !parse_port(colon + 1, &port))
        return false;
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (!parse_host(host, address, size_r))
        return false;
    if (address->any.sa_family == AF_INET6)
        address->in6.sin6_port = port;
    else
        address->in4.sin_port = port;
    return true;
}

const char *
admin_socket_refusal(const char *address)
{
    union address parsed;
    socklen_t size;
    if (address[0] == '\0' || parse(address, &parsed, &size))
        return NULL;
    return "is neither the absolute path of a socket nor a numeric ADDRESS:PORT";
}

/* Removes a socket file whose listener is gone. Returns -EAGAIN if it was one, else -EADDRINUSE. */
static int
remove_stale(const union address *address, socklen_t size)
{
    struct stat status;
    if (address->any.sa_family != AF_UNIX || lstat(address->un.sun_path, &status) != 0 ||
        !S_ISSOCK(status.st_mode))
        return -EADDRINUSE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    bool stale = connect(fd, &address->any, size) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return stale && unlink(address->un.sun_path) == 0 ? -EAGAIN : -EADDRINUSE;
}

/* One attempt. Returns the descriptor or a negative errno. */
static int
try_listen(const union address *address, socklen_t size)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const int on = 1;
    const int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* The wildcard is IPv4's too, whatever the system says. */
    if (address->any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    int result = bind(fd, &address->any, size) == 0 ? 0 : -errno;
    if (result == 0 && address->any.sa_family == AF_UNIX)
        (void)chmod(address->un.sun_path, SOCKET_MODE);
    if (result == 0 && listen(fd, BACKLOG) != 0)
        result = -errno;
    if (result == 0)
        return fd;
    (void)close(fd);
    return result == -EADDRINUSE ? remove_stale(address, size) : result;
}

static int
listen_patiently(const union address *address, socklen_t size)
{
    const struct timespec pause = {.tv_nsec = IN_USE_PAUSE_NS};
    uint64_t deadline_ms = clock_monotonic_ms() + IN_USE_RETRY_MS;
    int fd = try_listen(address, size);
    while ((fd == -EADDRINUSE || fd == -EAGAIN) && clock_monotonic_ms() < deadline_ms) {
        if (fd == -EADDRINUSE)
            (void)nanosleep(&pause, NULL);
        fd = try_listen(address, size);
    }
    return fd;
}

/* Listens; where IPv6 is off and its wildcard was wanted, on that of IPv4, as listen.address
 * does. */
static int
listen_or_fall_back(union address *address, socklen_t size)
{
    int fd = listen_patiently(address, size);
    if ((fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL) || address->any.sa_family != AF_INET6 ||
        !IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr))
        return fd;
    in_port_t port = address->in6.sin6_port;
    memset(address, 0, sizeof(*address));
    address->in4.sin_family = AF_INET;
    address->in4.sin_port = port;
    return listen_patiently(address, sizeof(address->in4));
}

/* Says where, since port 0 has become a real one. */
static void
log_address(int fd, const char *configured)
{
    union address bound;
    socklen_t size = sizeof(bound);
    uint16_t port = 0;
    memset(&bound, 0, sizeof(bound));
    if (getsockname(fd, &bound.any, &size) == 0 && bound.any.sa_family != AF_UNIX)
        port = ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in4.sin_port);
    log_write(LOG_LEVEL_INFO, "metrics are served",
              LOG_FIELDS(log_string("admin_address", configured), log_u64("port", port)));
}

int
admin_socket_open(int *fd_r, const struct settings *settings, struct complaint *complaint)
{
    const char *text = settings->admin_address;
    union address address;
    socklen_t size;
    *fd_r = -1;
    if (text[0] == '\0')
        return 0;
    if (!parse(text, &address, &size))
        return complain(complaint, EX_CONFIG, "admin.address: \"%s\" %s", text,
                        admin_socket_refusal(text));
    int fd = listen_or_fall_back(&address, size);
    if (fd < 0) {
        int code = fd == -EACCES || fd == -EPERM ? EX_NOPERM : EX_UNAVAILABLE;
        return complain(complaint, code, "admin.address: cannot listen on \"%s\": %s", text,
                        strerrordesc_np(-fd));
    }
    log_address(fd, text);
    *fd_r = fd;
    return 0;
}

void
admin_socket_close(int *fd, const struct settings *settings)
{
    if (*fd < 0)
        return;
    if (settings->admin_address[0] == '/')
        (void)unlink(settings->admin_address);
    (void)close(*fd);
    *fd = -1;
}
