/* nothing.c -- the floor: a gRPC C core server that answers HandleMetric at once and does nothing
 * else.
 *
 *     nothing WORKERS
 *
 * A master that binds a port on the loopback, forks WORKERS processes and prints the adapter's
 * "listening on" line; each accepts with the adapter's own acceptor (worker/grpc/acceptor.c, so
 * connections are spread alike) and turns a loop with as little in it as C core allows: one
 * completion for a call and its message, one batch for the answer. The request's bytes are not
 * looked at. SIGTERM ends it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/invariant.h"
#include "common/child.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/acceptor.h"
#include "worker/grpc/connection.h"
#include "worker/grpc/server.h"

#define WORKERS_MAX 64
#define CALLS_EXPECTED 256

struct call {
    /* NULL while it is waited for. */
    grpc_call *call;
    grpc_byte_buffer *request;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    int cancelled;
};

/* In place of worker/grpc/server.c: the acceptor gives it connections. */
struct server {
    grpc_server *grpc;
    grpc_completion_queue *queue;
    grpc_server_credentials *credentials;
    grpc_byte_buffer *empty_message;
    void *method;
};

void
server_add_connection(struct server *server, struct connection *connection)
{
    grpc_server_add_channel_from_fd(server->grpc, connection_take_fd(connection),
                                    server->credentials);
}

void
server_forget_connection(struct server *server, const struct connection *connection)
{
    (void)server;
    (void)connection;
}

/* There is nothing to finish: what was under way may fail. */
void
server_drain(struct server *server, uint64_t deadline_ms)
{
    (void)server;
    (void)deadline_ms;
    _exit(0);
}

void
server_retire(struct server *server, uint64_t deadline_ms)
{
    server_drain(server, deadline_ms);
}

void
server_finish(struct server *server)
{
    (void)server;
    _exit(0);
}

static void
expect(struct server *server, struct call *call)
{
    memset(call, 0, sizeof(*call));
    grpc_metadata_array_init(&call->metadata);
    grpc_call_error error = grpc_server_request_registered_call(
        server->grpc, server->method, &call->call, &call->deadline, &call->metadata, &call->request,
        server->queue, server->queue, call);
    INVARIANT(error == GRPC_CALL_OK);
}

static void
answer(const struct server *server, struct call *call)
{
    grpc_op ops[4];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = server->empty_message;
    ops[2].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
    ops[3].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[3].data.recv_close_on_server.cancelled = &call->cancelled;
    grpc_call_error error = grpc_call_start_batch(call->call, ops, 4, call, NULL);
    INVARIANT(error == GRPC_CALL_OK);
}

static void
release(struct call *call)
{
    grpc_byte_buffer_destroy(call->request);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_unref(call->call);
}

/* For ever: the acceptor ends the process. A tag comes twice: with a call, then with its answer
 * out. */
_Noreturn static void
run(struct server *server, struct scoreboard_slot *slot)
{
    static char answered[CALLS_EXPECTED];
    static struct call calls[CALLS_EXPECTED];
    for (size_t i = 0; i < CALLS_EXPECTED; i++)
        expect(server, &calls[i]);
    for (;;) {
        gpr_timespec deadline =
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(100, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(server->queue, deadline, NULL);
        atomic_fetch_add_explicit(&slot->heartbeat, 1, memory_order_relaxed);
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        struct call *call = event.tag;
        size_t i = (size_t)(call - calls);
        answered[i] = !answered[i];
        if (answered[i]) {
            answer(server, call);
        } else {
            release(call);
            expect(server, call);
        }
    }
}

static void
open_server(struct server *server)
{
    grpc_init();
    server->grpc = grpc_server_create(NULL, NULL);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->credentials = grpc_insecure_server_credentials_create();
    server->empty_message = grpc_raw_byte_buffer_create(NULL, 0);
    grpc_server_register_completion_queue(server->grpc, server->queue, NULL);
    server->method =
        grpc_server_register_method(server->grpc, "/metric.HandleMetricService/HandleMetric", NULL,
                                    GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    INVARIANT(server->method != NULL);
    grpc_server_start(server->grpc);
}

_Noreturn static void
run_worker(const struct heritage *heritage)
{
    static struct server server;
    struct acceptor *acceptor = NULL;
    int signal_fd;
    int result = child_begin(heritage, &signal_fd);
    if (result == 0) {
        open_server(&server);
        result = acceptor_start(&acceptor, heritage, &server, signal_fd);
    }
    if (result != 0)
        errx(1, "a worker cannot start: %s", strerrordesc_np(-result));
    child_ready(heritage);
    run(&server, &heritage->scoreboard->slots[heritage->slot]);
}

static int
listen_on_loopback(in_port_t *port_r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        err(1, "cannot listen");
    *port_r = ntohs(address.sin_port);
    return fd;
}

static void
start_workers(struct heritage *heritage)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0)
        err(1, "pipe");
    heritage->fds[HERITAGE_FD_READY] = ready[1];
    for (; heritage->slot < heritage->worker_count; heritage->slot++) {
        pid_t pid = fork();
        if (pid == 0)
            run_worker(heritage);
        if (pid < 0)
            err(1, "fork");
    }
    (void)close(ready[1]);
    char byte;
    for (uint32_t i = 0; i < heritage->worker_count; i++) {
        if (read(ready[0], &byte, 1) != 1)
            errx(1, "a worker did not start");
    }
}

/* Waits for the signal to end, or for the end of a worker, which is none of this benchmark's. */
static int
wait_for_end(void)
{
    sigset_t awaited;
    int number = 0;
    (void)sigemptyset(&awaited);
    (void)sigaddset(&awaited, SIGTERM);
    (void)sigaddset(&awaited, SIGINT);
    (void)sigaddset(&awaited, SIGCHLD);
    (void)sigwait(&awaited, &number);
    return number == SIGCHLD ? 1 : 0;
}

int
main(int argc, char **argv)
{
    static int turn_fds[WORKERS_MAX];
    static struct settings settings = {.workers_max_connections = 1024};
    struct heritage heritage = {
        .settings = &settings, .turn_fds = turn_fds, .master_pid = getpid()};
    int life[2];
    in_port_t port;
    int workers = argc == 2 ? atoi(argv[1]) : 0;
    if (workers < 1 || workers > WORKERS_MAX)
        errx(64, "usage: %s WORKERS", argv[0]);
    heritage.worker_count = (uint32_t)workers;
    heritage.fds[HERITAGE_FD_LISTENER] = listen_on_loopback(&port);
    heritage.fds[HERITAGE_FD_SEGMENTS] = heritage.fds[HERITAGE_FD_ROOT] =
        heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] = -1;
    if (scoreboard_open(&heritage.scoreboard, heritage.worker_count) != 0 || pipe(life) != 0)
        errx(1, "no memory or descriptors");
    heritage.fds[HERITAGE_FD_LIFE] = life[0];
    for (int i = 0; i < workers; i++)
        turn_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    start_workers(&heritage);
    (void)printf("listening on \"127.0.0.1:%u\"\n", (unsigned)port);
    (void)fflush(stdout);
    return wait_for_end(); /* the workers end with it (child_begin()) */
}
