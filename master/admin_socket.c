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
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/log.h"
#include "common/settings.h"
#include "master/listening.h"

#define BACKLOG 64
#define SOCKET_MODE 0660

static bool
parse_port(const char *text, uint16_t *port_r)
{
    char *end;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    *port_r = (uint16_t)port;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && port <= UINT16_MAX;
}

static bool
parse_host(char *host, union listening_address *address)
{
    size_t length = strlen(host);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        address->in6.sin6_family = AF_INET6;
        return inet_pton(AF_INET6, host + 1, &address->in6.sin6_addr) == 1;
    }
    address->in4.sin_family = AF_INET;
    return inet_pton(AF_INET, host, &address->in4.sin_addr) == 1;
}

static bool
parse(const char *text, union listening_address *address)
{
    char host[INET6_ADDRSTRLEN + sizeof("[]")];
    memset(address, 0, sizeof(*address));
    if (text[0] == '/') {
        size_t length = strlen(text);
        if (length >= sizeof(address->un.sun_path))
            return false;
        address->un.sun_family = AF_UNIX;
        memcpy(address->un.sun_path, text, length + 1);
        return true;
    }
    const char *colon = strrchr(text, ':');
    uint16_t port;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !parse_port(colon + 1, &port))
        return false;
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (!parse_host(host, address))
        return false;
    listening_set_port(address, port);
    return true;
}

const char *
admin_socket_refusal(const char *address)
{
    union listening_address parsed;
    if (address[0] == '\0' || parse(address, &parsed))
        return NULL;
    return "is neither the absolute path of a socket nor a numeric ADDRESS:PORT";
}

/* Removes a socket file whose listener is gone. Returns -EAGAIN if it was one, else -EADDRINUSE. */
static int
remove_stale(const union listening_address *address)
{
    struct stat status;
    if (address->any.sa_family != AF_UNIX || lstat(address->un.sun_path, &status) != 0 ||
        !S_ISSOCK(status.st_mode))
        return -EADDRINUSE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    bool stale = connect(fd, &address->any, listening_size(address)) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return stale && unlink(address->un.sun_path) == 0 ? -EAGAIN : -EADDRINUSE;
}

/* One attempt. Returns the descriptor or a negative errno. */
static int
try_listen(const union listening_address *address, int backlog)
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
    int result = bind(fd, &address->any, listening_size(address)) == 0 ? 0 : -errno;
    if (result == 0 && address->any.sa_family == AF_UNIX)
        (void)chmod(address->un.sun_path, SOCKET_MODE);
    if (result == 0 && listen(fd, backlog) != 0)
        result = -errno;
    if (result == 0)
        return fd;
    (void)close(fd);
    return result == -EADDRINUSE ? remove_stale(address) : result;
}

/* Says where, since port 0 has become a real one. */
static void
log_address(int fd, const char *configured)
{
    union listening_address bound;
    socklen_t size = sizeof(bound);
    uint16_t port = 0;
    memset(&bound, 0, sizeof(bound));
    if (getsockname(fd, &bound.any, &size) == 0)
        port = listening_port(&bound);
    log_write(LOG_LEVEL_INFO, "metrics are served",
              LOG_FIELDS(log_string("admin_address", configured), log_u64("port", port)));
}

int
admin_socket_open(int *fd_r, const struct settings *settings, struct complaint *complaint)
{
    const char *text = settings->admin_address;
    union listening_address address;
    *fd_r = -1;
    if (text[0] == '\0')
        return 0;
    if (!parse(text, &address))
        return complain(complaint, EX_CONFIG, "admin.address: \"%s\" %s", text,
                        admin_socket_refusal(text));
    int fd = listening_begin(&address, try_listen, BACKLOG);
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
