/* admin.c -- serves /metrics, /healthz and /readyz from one thread and one loop. Runs in the admin
 * process.
 *
 * The most that a client can do is to hold up other clients of this process: connections are few
 * and short, and a request's headers are bounded. The process ends with the master.
 */
#include "admin/admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metrics_text.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/free_room.h"
#include "base/log.h"
#include "common/child.h"
#include "common/heritage.h"
#include "common/scoreboard.h"

#define CONNECTIONS_MAX 32U
#define CONNECTION_TIMEOUT_S 10U
#define CONNECTION_BYTES ((size_t)16384)
#define HEARTBEAT_MS 200

struct admin {
    const struct heritage *heritage;
    int signal_fd;
    struct MHD_Daemon *daemon;
};

/* What is answered. `text` is the daemon's to free if `owned`. */
struct page {
    unsigned status;
    const char *type;
    char *text;
    size_t size;
    bool owned;
};

static void
set_text(struct page *page, unsigned status, const char *text)
{
    *page = (struct page){.status = status,
                          .type = "text/plain; charset=utf-8",
                          .text = bytes_unconst(text),
                          .size = strlen(text)};
}

static void
make_metrics(const struct admin *admin, struct page *page)
{
    const struct heritage *heritage = admin->heritage;
    struct free_room output;
    struct free_room segments;
    (void)free_room_find(heritage->fds[HERITAGE_FD_ROOT], &output);
    (void)free_room_find(heritage->fds[HERITAGE_FD_SEGMENTS], &segments);
    const struct metrics_room room = {.output_bytes = output.free_bytes,
                                      .segments_bytes = segments.free_bytes};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream != NULL) {
        metrics_text_write(stream, heritage->scoreboard, &room, clock_realtime_ns());
        if (fclose(stream) == 0) {
            *page = (struct page){.status = MHD_HTTP_OK,
                                  .type = "text/plain; version=0.0.4; charset=utf-8",
                                  .text = text,
                                  .size = size,
                                  .owned = true};
            return;
        }
        free(text);
    }
    set_text(page, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
}

static void
make_page(const struct admin *admin, const char *url, struct page *page)
{
    const struct heritage *heritage = admin->heritage;
    if (strcmp(url, "/metrics") == 0)
        make_metrics(admin, page);
    else if (strcmp(url, "/healthz") == 0)
        set_text(page, MHD_HTTP_OK, "ok\n");
    else if (strcmp(url, "/readyz") != 0)
        set_text(page, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
    else if (scoreboard_serves(heritage->scoreboard, heritage->worker_count))
        set_text(page, MHD_HTTP_OK, "ready\n");
    else
        set_text(page, MHD_HTTP_SERVICE_UNAVAILABLE,
                 "not ready: no worker is healthy, or one refuses calls since there is no room, or "
                 "the volume is not in its place\n");
}

static enum MHD_Result
send_page(struct MHD_Connection *connection, const struct page *page)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        page->size, page->text, page->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        if (page->owned)
            free(page->text);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
    if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, page->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called for each request, first when its headers are there, then when all of it is. */
static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
           const char *version, const char *upload, size_t *upload_size, void **seen)
{
    const struct admin *admin = context;
    static char mark;
    struct page page;
    (void)version;
    (void)upload;
    (void)upload_size;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        set_text(&page, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    } else if (*seen == NULL) {
        *seen = &mark;
        return MHD_YES;
    } else {
        make_page(admin, url, &page);
    }
    return send_page(connection, &page);
}

static int
prepare(struct admin *admin)
{
    const struct heritage *heritage = admin->heritage;
    int result = child_begin(heritage, &admin->signal_fd);
    if (result != 0)
        return result;
    admin->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET,
                         heritage->fds[HERITAGE_FD_ADMIN], MHD_OPTION_CONNECTION_LIMIT,
                         CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_END);
    return admin->daemon == NULL ? -ENOMEM : 0;
}

static int
wait_ms(const struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG until_timeout;
    if (MHD_get_timeout(admin->daemon, &until_timeout) == MHD_YES && until_timeout < HEARTBEAT_MS)
        return (int)until_timeout;
    return HEARTBEAT_MS;
}

/* Serves until told to end, or the master is gone. */
static void
serve(struct admin *admin)
{
    const struct heritage *heritage = admin->heritage;
    _Atomic uint64_t *heartbeat = &heritage->scoreboard->slots[heritage->slot].heartbeat;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd watched[] = {
        {.fd = info->epoll_fd, .events = POLLIN},
        {.fd = admin->signal_fd, .events = POLLIN},
        {.fd = heritage->fds[HERITAGE_FD_LIFE], .events = POLLIN},
    };
    for (;;) {
        atomic_fetch_add_explicit(heartbeat, 1, memory_order_relaxed);
        (void)poll(watched, sizeof(watched) / sizeof(watched[0]), wait_ms(admin));
        if (watched[2].revents != 0 || child_order(admin->signal_fd) >= CHILD_ORDER_RETIRE)
            return;
        (void)MHD_run(admin->daemon);
    }
}

int
admin_main(const struct heritage *heritage)
{
    struct admin admin = {.heritage = heritage, .signal_fd = -1};
    int result = prepare(&admin);
    if (result != 0) {
        log_write(LOG_LEVEL_ERROR, "cannot start", LOG_FIELDS(log_error(result)));
        return EXIT_FAILURE;
    }
    child_ready(heritage);
    serve(&admin);
    MHD_stop_daemon(admin.daemon);
    return 0;
}
