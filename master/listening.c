/* listening.c -- binds with patience, and falls back to IPv4. Runs in the master. */
#include "master/listening.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* The children of a master that was just killed need a moment to let go of its socket. */
#define IN_USE_RETRY_MS 2000
#define IN_USE_PAUSE_NS 20000000

socklen_t
listening_size(const union listening_address *address)
{
    if (address->any.sa_family == AF_UNIX)
        return sizeof(address->un);
    return address->any.sa_family == AF_INET6 ? sizeof(address->in6) : sizeof(address->in4);
}

uint16_t
listening_port(const union listening_address *address)
{
    if (address->any.sa_family == AF_UNIX)
        return 0;
    return ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port
                                                    : address->in4.sin_port);
}

void
listening_set_port(union listening_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->in6.sin6_port = htons(port);
    else
        address->in4.sin_port = htons(port);
}

static int
attempt_patiently(const union listening_address *address, listening_attempt *attempt, int backlog)
{
    const struct timespec pause = {.tv_nsec = IN_USE_PAUSE_NS};
    uint64_t deadline_ms = clock_monotonic_ms() + IN_USE_RETRY_MS;
    int fd = attempt(address, backlog);
    while ((fd == -EADDRINUSE || fd == -EAGAIN) && clock_monotonic_ms() < deadline_ms) {
        if (fd == -EADDRINUSE)
            (void)nanosleep(&pause, NULL);
        fd = attempt(address, backlog);
    }
    return fd;
}

static bool
is_ipv6_wildcard(const union listening_address *address)
{
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

int
listening_begin(union listening_address *address, listening_attempt *attempt, int backlog)
{
    int fd = attempt_patiently(address, attempt, backlog);
    if ((fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL) || !is_ipv6_wildcard(address))
        return fd;
    log_write(LOG_LEVEL_WARNING, "IPv6 is off, listening on IPv4 only", LOG_FIELDS(log_error(fd)));
    uint16_t port = listening_port(address);
    memset(address, 0, sizeof(*address));
    address->any.sa_family = AF_INET;
    listening_set_port(address, port);
    return attempt_patiently(address, attempt, backlog);
}
