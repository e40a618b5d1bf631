/* acceptor.c -- one thread, one epoll: whose turn it is, accept, watch, drain. Runs in a worker,
 * beside the main thread; it shares with it the server (which takes connections and the drain from
 * any thread) and the scoreboard. */
#include "worker/grpc/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/child.h"
#include "base/clock.h"
#include "common/heritage.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/server.h"

#define TICK_MS 200        /* how often it looks at everything, whatever happens */
#define WILLING_MS 600     /* how long its word that it is willing holds */
#define LOOP_FRESH_MS 1000 /* the main loop is stuck if it has not turned for so long */
#define REFUSED_MS 1000 /* without a descriptor to spare, so long it leaves connections to others */
#define ORPHAN_DRAIN_MS 1000 /* without a master, so long at most for calls under way */

/* When others take their place, workers send GOAWAY only when none of them takes connections any more
 * (so long at most), and a while longer: a client whose new connection gets a GOAWAY before it is
 * through with its handshake takes the server for broken, and fails calls. */
#define SIBLINGS_MS_MAX 1000
#define HANDSHAKE_MS 500
#define DRAIN_TICK_MS 10
#define EVENTS_MAX 64

struct acceptor {
    const struct heritage *heritage;
    struct server *server;
    pthread_t thread;
    int signal_fd;
    int stop_fd; /* eventfd: end the thread */
    int epoll_fd;
    bool listening; /* the listening socket is in the epoll set */
    bool draining;
    bool retiring; /* draining, and others serve */
    bool goaway_sent;
    uint64_t drain_began_ms;
    uint64_t drain_deadline_ms;
    uint64_t alone_ms; /* since when no sibling takes connections; 0 = some do */
    uint64_t heartbeat_seen;
    uint64_t heartbeat_ms; /* when the main loop was seen to have turned */
    uint64_t
        refused_until_ms; /* there was no descriptor for a connection: not willing until then */
    struct log_brake brake;
};

static struct scoreboard_slot *
own_slot(const struct acceptor *acceptor)
{
    return &acceptor->heritage->scoreboard->slots[acceptor->heritage->slot];
}

static bool
loop_is_fresh(struct acceptor *acceptor, uint64_t now_ms)
{
    uint64_t heartbeat = atomic_load(&own_slot(acceptor)->heartbeat);
    if (heartbeat != acceptor->heartbeat_seen) {
        acceptor->heartbeat_seen = heartbeat;
        acceptor->heartbeat_ms = now_ms;
    }
    return now_ms < acceptor->heartbeat_ms + LOOP_FRESH_MS;
}

static void
set_listening(struct acceptor *acceptor, bool listening)
{
    if (acceptor->listening == listening)
        return;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = acceptor->heritage->listener_fd};
    if (epoll_ctl(acceptor->epoll_fd, listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  acceptor->heritage->listener_fd, &event) == 0)
        acceptor->listening = listening;
}

/* Says whether this worker is willing, and finds out whether it is its turn; passes the turn on if
 * it is not. */
static bool
take_turn(struct acceptor *acceptor)
{
    const struct heritage *heritage = acceptor->heritage;
    struct scoreboard_slot *slot = own_slot(acceptor);
    uint64_t now_ms = clock_monotonic_ms();
    bool willing =
        !acceptor->draining && loop_is_fresh(acceptor, now_ms) &&
        now_ms >= acceptor->refused_until_ms &&
        atomic_load(&slot->connections) < (uint64_t)heritage->settings->workers_max_connections;
    atomic_store(&slot->willing_until_ms, willing ? now_ms + WILLING_MS : 0);

    uint32_t turn = scoreboard_turn(heritage->scoreboard, heritage->worker_count, now_ms);
    bool own = willing && turn == heritage->slot;
    if (!own && acceptor->listening && turn != UINT32_MAX) {
        static const uint64_t one = 1;
        ssize_t written = write(heritage->turn_fds[turn], &one, sizeof(one));
        (void)written; /* full: it has been told already */
    }
    set_listening(acceptor, own);
    return own;
}

static void
log_peer(const struct sockaddr_storage *peer, const char *event)
{
    char address[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)peer;
        (void)inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
        port = ntohs(in->sin_port);
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
        port = ntohs(in6->sin6_port);
    }
    log_write(LOG_LEVEL_DEBUG, event,
              LOG_FIELDS(log_string("peer", address), log_u64("port", port)));
}

/* Lets the others take connections for a while. */
static void
refuse(struct acceptor *acceptor, int error)
{
    uint64_t suppressed;
    uint64_t now_ms = clock_monotonic_ms();
    acceptor->refused_until_ms = now_ms + REFUSED_MS;
    if (log_allowed(&acceptor->brake, now_ms, 10000, &suppressed))
        log_write(LOG_LEVEL_ERROR, "cannot take a connection",
                  LOG_FIELDS(log_error(error), log_u64("suppressed", suppressed)));
    (void)take_turn(acceptor);
}

/* Watches a connection through a descriptor of our own, `watch_fd`, since gRPC does not tell when one
 * ends. Returns 0 or a negative errno. */
static int
watch_connection(struct acceptor *acceptor, int fd, int watch_fd)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.fd = watch_fd};
    if (dup3(fd, watch_fd, O_CLOEXEC) < 0 ||
        epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, watch_fd, &event) != 0)
        return -errno;
    return 0;
}

/* Takes the connection at the head of the queue. Returns its descriptor or a negative errno. */
static int
accept_one(const struct acceptor *acceptor, struct sockaddr_storage *peer)
{
    socklen_t peer_size = sizeof(*peer);
    int fd = accept4(acceptor->heritage->listener_fd, (struct sockaddr *)peer, &peer_size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool
is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM ||
           error == -ENOSPC;
}

static void
accept_connection(struct acceptor *acceptor)
{
    /* Counts may have changed since the socket was put into the set. */
    if (!take_turn(acceptor))
        return;
    /* Two descriptors are needed, and the second is got first: what cannot be kept is not taken. */
    int watch_fd = fcntl(acceptor->epoll_fd, F_DUPFD_CLOEXEC, 0);
    if (watch_fd < 0) {
        refuse(acceptor, -errno);
        return;
    }
    struct sockaddr_storage peer = {0};
    int fd = accept_one(acceptor, &peer);
    int result = fd < 0 ? fd : watch_connection(acceptor, fd, watch_fd);
    if (result < 0) {
        (void)close(watch_fd);
        if (fd >= 0)
            (void)close(fd);
        if (is_shortage(result))
            refuse(acceptor, result);
        return; /* else: another took it, or its client has gone */
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    atomic_fetch_add(&own_slot(acceptor)->connections, 1);
    tally_add(&own_slot(acceptor)->worker.accepted, 1);
    server_add_connection(acceptor->server, fd, watch_fd);
    log_peer(&peer, "connection accepted");
    (void)take_turn(acceptor);
}

static bool
may_send_goaway(struct acceptor *acceptor, uint64_t now_ms)
{
    const struct heritage *heritage = acceptor->heritage;
    if (!acceptor->retiring)
        return true;
    bool alone =
        scoreboard_turn(heritage->scoreboard, heritage->worker_count, now_ms) == UINT32_MAX ||
        now_ms >= acceptor->drain_began_ms + SIBLINGS_MS_MAX;
    if (!alone)
        acceptor->alone_ms = 0;
    else if (acceptor->alone_ms == 0)
        acceptor->alone_ms = now_ms;
    return now_ms >= acceptor->drain_deadline_ms ||
           (alone && now_ms >= acceptor->alone_ms + HANDSHAKE_MS);
}

/* GOAWAY when the time has come; and the server is needed while there are connections, no longer. */
static void
go_on_draining(struct acceptor *acceptor)
{
    if (!acceptor->draining)
        return;
    bool empty = atomic_load(&own_slot(acceptor)->connections) == 0;
    if (!acceptor->goaway_sent && (empty || may_send_goaway(acceptor, clock_monotonic_ms()))) {
        acceptor->goaway_sent = true;
        if (acceptor->retiring && !empty)
            server_retire(acceptor->server, acceptor->drain_deadline_ms);
        else
            server_drain(acceptor->server, acceptor->drain_deadline_ms);
    }
    if (empty)
        server_finish(acceptor->server);
}

static void
end_connection(struct acceptor *acceptor, int watch_fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_size = sizeof(peer);
    (void)getpeername(watch_fd, (struct sockaddr *)&peer, &peer_size);
    /* Out of the set before it is closed: the set holds the socket, which gRPC may still have open.
     */
    (void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, watch_fd, NULL);
    server_forget_connection(acceptor->server, watch_fd);
    (void)close(watch_fd);
    atomic_fetch_sub(&own_slot(acceptor)->connections, 1);
    log_peer(&peer, "connection ended");
    (void)take_turn(acceptor);
    go_on_draining(acceptor);
}

static void
begin_drain(struct acceptor *acceptor, bool orphan, bool retire)
{
    acceptor->retiring = retire && (acceptor->retiring || !acceptor->draining);
    if (acceptor->draining)
        return; /* the order may have been more urgent than the first, never less */
    acceptor->draining = true;
    (void)take_turn(acceptor); /* no longer willing; the listening socket leaves the set */
    (void)close(acceptor->heritage->listener_fd);
    uint64_t patience_ms =
        orphan ? ORPHAN_DRAIN_MS : (uint64_t)acceptor->heritage->settings->workers_drain_timeout_ms;
    log_write(LOG_LEVEL_INFO, "draining",
              LOG_FIELDS(log_u64("connections", atomic_load(&own_slot(acceptor)->connections)),
                         log_string("because", orphan   ? "the master is gone"
                                               : retire ? "others take its place"
                                                        : "told to")));
    acceptor->drain_began_ms = clock_monotonic_ms();
    acceptor->drain_deadline_ms = acceptor->drain_began_ms + patience_ms;
    go_on_draining(acceptor);
}

static void
handle_event(struct acceptor *acceptor, int fd)
{
    const struct heritage *heritage = acceptor->heritage;
    uint64_t count;
    if (fd == heritage->listener_fd && acceptor->listening) {
        accept_connection(acceptor);
    } else if (fd == heritage->turn_fds[heritage->slot]) {
        ssize_t got = read(fd, &count, sizeof(count));
        (void)got;
        (void)take_turn(acceptor);
    } else if (fd == acceptor->signal_fd) {
        enum child_order order = child_order(fd);
        if (order >= CHILD_ORDER_RETIRE)
            begin_drain(acceptor, child_is_orphan(heritage), order == CHILD_ORDER_RETIRE);
    } else if (fd == heritage->life_fd) {
        (void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        begin_drain(acceptor, true, false);
    } else if (fd != heritage->listener_fd) {
        end_connection(acceptor, fd);
    }
}

static void *
acceptor_thread(void *context)
{
    struct acceptor *acceptor = context;
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        bool waits = acceptor->draining && !acceptor->goaway_sent;
        int count =
            epoll_wait(acceptor->epoll_fd, events, EVENTS_MAX, waits ? DRAIN_TICK_MS : TICK_MS);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == acceptor->stop_fd)
                return NULL;
            handle_event(acceptor, events[i].data.fd);
        }
        if (!acceptor->draining)
            (void)take_turn(acceptor);
        go_on_draining(acceptor);
    }
}

static int
watch(struct acceptor *acceptor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int
start_thread(struct acceptor *acceptor)
{
    const struct heritage *heritage = acceptor->heritage;
    acceptor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    acceptor->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (acceptor->epoll_fd < 0 || acceptor->stop_fd < 0)
        return -errno;
    int result = watch(acceptor, acceptor->stop_fd);
    if (result == 0)
        result = watch(acceptor, acceptor->signal_fd);
    if (result == 0)
        result = watch(acceptor, heritage->life_fd);
    if (result == 0)
        result = watch(acceptor, heritage->turn_fds[heritage->slot]);
    /* Before the master hears that this worker is ready: else the first connections, which may come
     * before the thread has run, would all go to others. */
    (void)take_turn(acceptor);
    if (result == 0)
        result = -pthread_create(&acceptor->thread, NULL, acceptor_thread, acceptor);
    return result;
}

static void
release(struct acceptor *acceptor)
{
    if (acceptor->epoll_fd >= 0)
        (void)close(acceptor->epoll_fd);
    if (acceptor->stop_fd >= 0)
        (void)close(acceptor->stop_fd);
    (void)close(acceptor->signal_fd);
    free(acceptor);
}

int
acceptor_start(struct acceptor **out, const struct heritage *heritage, struct server *server,
               int signal_fd)
{
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
    if (acceptor == NULL)
        return -ENOMEM;
    acceptor->heritage = heritage;
    acceptor->server = server;
    acceptor->signal_fd = signal_fd;
    acceptor->epoll_fd = -1;
    acceptor->stop_fd = -1;
    acceptor->heartbeat_ms = clock_monotonic_ms();
    int result = start_thread(acceptor);
    if (result != 0) {
        release(acceptor);
        return result;
    }
    *out = acceptor;
    return 0;
}

void
acceptor_stop(struct acceptor **ap)
{
    if (*ap == NULL)
        return;
    static const uint64_t one = 1;
    ssize_t written = write((*ap)->stop_fd, &one, sizeof(one));
    (void)written;
    (void)pthread_join((*ap)->thread, NULL);
    release(*ap);
    *ap = NULL;
}
