/* acceptor.c -- one thread, one epoll: whose turn it is, accept, watch, drain. Runs in a worker, beside
 * the main thread. The two share the server, which takes connections and the drain from any thread, and
 * the scoreboard. */
#include "worker/grpc/acceptor.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/invariant.h"
#include "base/list.h"
#include "base/log.h"
#include "common/child.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/connection.h"
#include "worker/grpc/server.h"

/* How often it looks at everything, whatever happens. */
#define TICK_MS 200

/* How long its word that it is willing holds. */
#define WILLING_MS 600

/* The main loop is stuck if it has not turned for so long. */
#define LOOP_FRESH_MS 1000

/* Without a descriptor to spare, so long it leaves connections to others. */
#define REFUSED_MS 1000

/* Without a master, so long at most for calls under way. */
#define ORPHAN_DRAIN_MS 1000

/* When others take their place, workers send GOAWAY only when none of them takes connections any more
 * (so long at most), and a while longer: a client whose new connection gets a GOAWAY before it is
 * through with its handshake takes the server for broken, and fails calls. */
#define SIBLINGS_MS_MAX 1000
#define HANDSHAKE_MS 500
#define DRAIN_TICK_MS 10
#define EVENTS_MAX 64

/* What it waits for beside its connections. */
enum source {
    SOURCE_STOP,
    SOURCE_ORDERS,
    SOURCE_LIFE,
    SOURCE_TURN,
    SOURCE_LISTENER,
    SOURCE_COUNT,
};

struct acceptor {
    const struct heritage *heritage;
    struct server *server;
    pthread_t thread;
    int epoll_fd;
    /* The descriptors of what it waits for. An event's data.ptr is the address of one of these, or a
     * connection. */
    int sources[SOURCE_COUNT];
    /* The connections there are. */
    struct list_link connections;
    /* The thread is to end. */
    bool stopped;
    bool listening; /* the listening socket is in the epoll set */
    bool draining;
    bool retiring; /* draining, and others serve */
    bool goaway_sent;
    uint64_t drain_began_ms;
    uint64_t drain_deadline_ms;
    /* Since when no sibling takes connections; 0 = some do. */
    uint64_t alone_ms;
    uint64_t heartbeat_seen;
    /* When the main loop was seen to have turned. */
    uint64_t heartbeat_ms;
    /* There was no descriptor for a connection: not willing until then. */
    uint64_t refused_until_ms;
    struct log_brake refused_brake;
};

static struct scoreboard_slot *
own_slot(const struct acceptor *acceptor)
{
    return &acceptor->heritage->scoreboard->slots[acceptor->heritage->slot];
}

/* ---- what it waits for */

static int
watch(struct acceptor *acceptor, enum source source)
{
    int *fd = &acceptor->sources[source];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    return epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0 ? 0 : -errno;
}

static int
unwatch(struct acceptor *acceptor, enum source source)
{
    int result = epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, acceptor->sources[source], NULL);
    return result == 0 ? 0 : -errno;
}

/* Watches a connection for its end, since gRPC does not tell. */
static int
watch_connection(struct acceptor *acceptor, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = connection};
    int fd = connection->watch_fd;
    return epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* ---- whose turn it is */

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
    if ((listening ? watch : unwatch)(acceptor, SOURCE_LISTENER) == 0)
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
    if (!own && acceptor->listening && turn != UINT32_MAX)
        event_post(heritage->turn_fds[turn]);
    set_listening(acceptor, own);
    return own;
}

/* ---- connections */

static void
log_connection(const struct connection *connection, const char *event)
{
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    log_write(LOG_LEVEL_DEBUG, event,
              LOG_FIELDS(log_string("peer", connection->peer),
                         log_u64("port", connection->peer_port),
                         log_u64("age_ms", clock_monotonic_ms() - connection->since_ms)));
}

/* Lets the others take connections for a while. */
static void
refuse(struct acceptor *acceptor, int error)
{
    uint64_t now_ms = clock_monotonic_ms();
    acceptor->refused_until_ms = now_ms + REFUSED_MS;
    log_write_braked(&acceptor->refused_brake, now_ms, LOG_LEVEL_ERROR, "cannot take a connection",
                     LOG_FIELDS(log_error(error)));
    (void)take_turn(acceptor);
}

static void
accept_connection(struct acceptor *acceptor)
{
    struct connection *connection = NULL;
    /* Counts may have changed since the socket was put into the set. */
    if (!take_turn(acceptor))
        return;
    int result =
        connection_accept(&connection, acceptor->sources[SOURCE_LISTENER], clock_monotonic_ms());
    if (result == 0)
        result = watch_connection(acceptor, connection);
    if (result != 0) {
        connection_close(&connection);
        if (connection_is_shortage(result))
            refuse(acceptor, result);
        return; /* else: another took it, or its client has gone */
    }
    list_append(&acceptor->connections, &connection->link);
    atomic_fetch_add(&own_slot(acceptor)->connections, 1);
    tally_add(&own_slot(acceptor)->worker.accepted, 1);
    server_add_connection(acceptor->server, connection);
    log_connection(connection, "connection accepted");
    (void)take_turn(acceptor);
}

static void
forget_connection(struct acceptor *acceptor, struct connection *connection)
{
    /* Out of the set before it is closed: the set holds the socket, which gRPC may still have open. */
    (void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, connection->watch_fd, NULL);
    server_forget_connection(acceptor->server, connection);
    list_remove(&connection->link);
    connection_close(&connection);
    uint32_t before = atomic_fetch_sub(&own_slot(acceptor)->connections, 1);
    INVARIANT(before > 0);
}

/* ---- the drain */

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
    bool empty = list_is_empty(&acceptor->connections);
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
begin_drain(struct acceptor *acceptor, bool orphan, bool retire)
{
    acceptor->retiring = retire && (acceptor->retiring || !acceptor->draining);
    if (acceptor->draining)
        return; /* the order may have been more urgent than the first, never less */
    acceptor->draining = true;
    (void)take_turn(acceptor); /* no longer willing; the listening socket leaves the set */
    (void)close(acceptor->sources[SOURCE_LISTENER]);
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

/* ---- the thread */

static void
handle_source(struct acceptor *acceptor, enum source source)
{
    const struct heritage *heritage = acceptor->heritage;
    enum child_order order;
    uint64_t posts;
    ssize_t got;
    switch (source) {
    case SOURCE_STOP:
        acceptor->stopped = true;
        return;
    case SOURCE_ORDERS:
        order = child_order(acceptor->sources[source]);
        if (order >= CHILD_ORDER_RETIRE)
            begin_drain(acceptor, child_is_orphan(heritage), order == CHILD_ORDER_RETIRE);
        return;
    case SOURCE_LIFE:
        (void)unwatch(acceptor, source);
        begin_drain(acceptor, true, false);
        return;
    case SOURCE_TURN:
        got = read(acceptor->sources[source], &posts, sizeof(posts));
        (void)got; /* how often it was posted makes no difference */
        (void)take_turn(acceptor);
        return;
    case SOURCE_LISTENER:
        if (acceptor->listening)
            accept_connection(acceptor);
        return;
    case SOURCE_COUNT:
        break;
    }
    INVARIANT(false); /* none is watched for that */
}

/* What happened to a connection can only be its end. */
static void
handle_event(struct acceptor *acceptor, void *happened)
{
    for (enum source source = 0; source < SOURCE_COUNT; source++) {
        if (happened == &acceptor->sources[source]) {
            handle_source(acceptor, source);
            return;
        }
    }
    log_connection(happened, "connection ended");
    forget_connection(acceptor, happened);
    (void)take_turn(acceptor);
    go_on_draining(acceptor);
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
            handle_event(acceptor, events[i].data.ptr);
            if (acceptor->stopped)
                return NULL;
        }
        if (!acceptor->draining)
            (void)take_turn(acceptor);
        go_on_draining(acceptor);
    }
}

static int
start_thread(struct acceptor *acceptor)
{
    acceptor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    acceptor->sources[SOURCE_STOP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (acceptor->epoll_fd < 0 || acceptor->sources[SOURCE_STOP] < 0)
        return -errno;
    int result = watch(acceptor, SOURCE_STOP);
    if (result == 0)
        result = watch(acceptor, SOURCE_ORDERS);
    if (result == 0)
        result = watch(acceptor, SOURCE_LIFE);
    if (result == 0)
        result = watch(acceptor, SOURCE_TURN);
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
    while (!list_is_empty(&acceptor->connections)) {
        struct list_link *first = acceptor->connections.after;
        forget_connection(acceptor, CONTAINER_OF(first, struct connection, link));
    }
    if (acceptor->epoll_fd >= 0)
        (void)close(acceptor->epoll_fd);
    if (acceptor->sources[SOURCE_STOP] >= 0)
        (void)close(acceptor->sources[SOURCE_STOP]);
    (void)close(acceptor->sources[SOURCE_ORDERS]);
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
    acceptor->epoll_fd = -1;
    acceptor->sources[SOURCE_STOP] = -1;
    acceptor->sources[SOURCE_ORDERS] = signal_fd;
    acceptor->sources[SOURCE_LIFE] = heritage->life_fd;
    acceptor->sources[SOURCE_TURN] = heritage->turn_fds[heritage->slot];
    acceptor->sources[SOURCE_LISTENER] = heritage->listener_fd;
    list_init(&acceptor->connections);
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
    event_post((*ap)->sources[SOURCE_STOP]);
    (void)pthread_join((*ap)->thread, NULL);
    release(*ap);
    *ap = NULL;
}
