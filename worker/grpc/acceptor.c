/* acceptor.c -- one thread, one epoll: whose turn it is, accept, watch, drain. Runs in a worker,
 * beside the main thread. The two share the server, which takes connections and the drain from any
 * thread, and the scoreboard. */
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
#include "worker/grpc/departure.h"
#include "worker/grpc/server.h"
#include "worker/grpc/turn.h"

/* How often it looks at everything, whatever happens, and how often while GOAWAYs wait. */
#define TICK_MS 200
#define HOLDING_TICK_MS 10
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

enum phase {
    /* It is another worker's turn to take connections, or nobody's. */
    PHASE_WAITING,
    /* It is its own turn: the listening socket is in the epoll set. */
    PHASE_LISTENING,
    /* The drain has begun, and the GOAWAYs wait until no other worker takes connections. */
    PHASE_HOLDING,
    /* The server has been told to send the GOAWAYs; connections end with their last calls. */
    PHASE_LEAVING,
    /* The last connection has ended, and the server has been told so. */
    PHASE_DONE,
    PHASE_COUNT,
};

struct acceptor {
    const struct heritage *heritage;
    struct server *server;
    pthread_t thread;
    int epoll_fd;
    /* The descriptors of what it waits for. An event's data.ptr is the address of one of these, or
     * a connection. */
    int sources[SOURCE_COUNT];
    struct list_link connections;
    enum phase phase;
    /* The thread is to end. */
    bool stopped;
    struct turn turn;
    /* From PHASE_HOLDING on. */
    struct departure departure;
    struct log_brake refused_brake;
};

/* Goes on to another phase. Before the drain, turns come and go; in the drain there is no way
 * back. */
static void
set_phase(struct acceptor *acceptor, enum phase next)
{
    static const bool allowed[PHASE_COUNT][PHASE_COUNT] = {
        [PHASE_WAITING] = {[PHASE_LISTENING] = true, [PHASE_HOLDING] = true},
        [PHASE_LISTENING] = {[PHASE_WAITING] = true, [PHASE_HOLDING] = true},
        [PHASE_HOLDING] = {[PHASE_LEAVING] = true},
        [PHASE_LEAVING] = {[PHASE_DONE] = true},
    };
    INVARIANT(allowed[acceptor->phase][next]);
    acceptor->phase = next;
}

static bool
is_draining(const struct acceptor *acceptor)
{
    return acceptor->phase >= PHASE_HOLDING;
}

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

/* Has the listening socket in the epoll set as long as the turn is this worker's; passes on one
 * that is not any more. A kernel that does not do as it is told is told again at the next tick. */
static void
agree_on_turn(struct acceptor *acceptor, bool draining, uint64_t now_ms)
{
    const struct heritage *heritage = acceptor->heritage;
    uint32_t turn = turn_agree(&acceptor->turn, draining, now_ms);
    bool own = turn == heritage->slot;
    if (acceptor->phase == PHASE_LISTENING && !own) {
        if (turn != UINT32_MAX)
            event_post(heritage->turn_fds[turn]);
        if (unwatch(acceptor, SOURCE_LISTENER) == 0)
            set_phase(acceptor, PHASE_WAITING);
    } else if (acceptor->phase == PHASE_WAITING && own) {
        if (watch(acceptor, SOURCE_LISTENER) == 0)
            set_phase(acceptor, PHASE_LISTENING);
    }
}

/* Whether it is this worker's turn to take a connection. Never in a drain. */
static bool
take_turn(struct acceptor *acceptor)
{
    if (is_draining(acceptor))
        return false;
    agree_on_turn(acceptor, false, clock_monotonic_ms());
    return acceptor->phase == PHASE_LISTENING;
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
    turn_refuse(&acceptor->turn, now_ms);
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
    /* Out of the set before it is closed: the set holds the socket, which gRPC may still have
     * open. */
    (void)epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, connection->watch_fd, NULL);
    server_forget_connection(acceptor->server, connection);
    list_remove(&connection->link);
    connection_close(&connection);
    uint32_t before = atomic_fetch_sub(&own_slot(acceptor)->connections, 1);
    INVARIANT(before > 0);
}

/* ---- the drain */

static bool
may_leave(struct acceptor *acceptor)
{
    uint64_t now_ms = clock_monotonic_ms();
    bool siblings_take = turn_any_willing(&acceptor->turn, now_ms);
    return departure_is_due(&acceptor->departure, siblings_take, now_ms);
}

/* GOAWAY when the time has come; and the server is needed while there are connections, no
 * longer. */
static void
go_on_draining(struct acceptor *acceptor)
{
    const struct departure *departure = &acceptor->departure;
    bool empty = list_is_empty(&acceptor->connections);
    if (acceptor->phase == PHASE_HOLDING && (empty || may_leave(acceptor))) {
        set_phase(acceptor, PHASE_LEAVING);
        if (departure->reason == DRAIN_REPLACED && !empty)
            server_retire(acceptor->server, departure->deadline_ms);
        else
            server_drain(acceptor->server, departure->deadline_ms);
    }
    if (acceptor->phase == PHASE_LEAVING && empty) {
        set_phase(acceptor, PHASE_DONE);
        server_finish(acceptor->server);
    }
}

static void
begin_drain(struct acceptor *acceptor, enum drain_reason reason)
{
    if (is_draining(acceptor)) {
        departure_hasten(&acceptor->departure, reason);
        return;
    }
    uint64_t now_ms = clock_monotonic_ms();
    agree_on_turn(acceptor, true, now_ms);
    set_phase(acceptor, PHASE_HOLDING);
    (void)close(acceptor->sources[SOURCE_LISTENER]);
    acceptor->sources[SOURCE_LISTENER] = -1;
    departure_begin(&acceptor->departure, reason, now_ms,
                    (uint64_t)acceptor->heritage->settings->workers_drain_timeout_ms);
    log_write(LOG_LEVEL_INFO, "draining",
              LOG_FIELDS(log_u64("connections", atomic_load(&own_slot(acceptor)->connections)),
                         log_string("reason", drain_reason_text(reason))));
    go_on_draining(acceptor);
}

static void
obey(struct acceptor *acceptor)
{
    enum child_order order = child_order(acceptor->sources[SOURCE_ORDERS]);
    if (order < CHILD_ORDER_RETIRE)
        return;
    if (child_is_orphan(acceptor->heritage))
        begin_drain(acceptor, DRAIN_ORPHANED);
    else
        begin_drain(acceptor, order == CHILD_ORDER_RETIRE ? DRAIN_REPLACED : DRAIN_ORDERED);
}

/* ---- the thread */

static void
handle_source(struct acceptor *acceptor, enum source source)
{
    uint64_t posts;
    ssize_t got;
    switch (source) {
    case SOURCE_STOP:
        acceptor->stopped = true;
        return;
    case SOURCE_ORDERS:
        obey(acceptor);
        return;
    case SOURCE_LIFE:
        (void)unwatch(acceptor, source);
        begin_drain(acceptor, DRAIN_ORPHANED);
        return;
    case SOURCE_TURN:
        got = read(acceptor->sources[source], &posts, sizeof(posts));
        (void)got; /* how often it was posted makes no difference */
        (void)take_turn(acceptor);
        return;
    case SOURCE_LISTENER:
        if (acceptor->phase == PHASE_LISTENING)
            accept_connection(acceptor);
        return;
    case SOURCE_COUNT:
        break;
    }
    INVARIANT(source < SOURCE_COUNT);
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
        int tick_ms = acceptor->phase == PHASE_HOLDING ? HOLDING_TICK_MS : TICK_MS;
        int count = epoll_wait(acceptor->epoll_fd, events, EVENTS_MAX, tick_ms);
        for (int i = 0; i < count; i++) {
            handle_event(acceptor, events[i].data.ptr);
            if (acceptor->stopped)
                return NULL;
        }
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
    acceptor->sources[SOURCE_LIFE] = heritage->fds[HERITAGE_FD_LIFE];
    acceptor->sources[SOURCE_TURN] = heritage->turn_fds[heritage->slot];
    acceptor->sources[SOURCE_LISTENER] = heritage->fds[HERITAGE_FD_LISTENER];
    list_init(&acceptor->connections);
    turn_begin(&acceptor->turn, heritage, clock_monotonic_ms());
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
