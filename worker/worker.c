/* worker.c -- the life of a worker process: prepare, serve, drain, seal.
 *
 * Two threads of ours: the main thread turns the gRPC loop and appends to the journal, the
 * acceptor's takes connections and orders. gRPC is initialised here, after the fork, and a worker
 * never forks.
 *
 * Crash contract: it may be killed at any instruction; what it acknowledged stands in its segments,
 * which the kernel's release of their locks hands to the collector.
 */
#include "worker/worker.h"

#include <errno.h>
#include <grpc/grpc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "common/child.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/grpc/acceptor.h"
#include "worker/grpc/calls.h"
#include "worker/grpc/commit.h"
#include "worker/grpc/connection_age.h"
#include "worker/grpc/library_log.h"
#include "worker/grpc/server.h"
#include "worker/grpc/service.h"
#include "worker/journal.h"
#include "worker/services/health_service.h"
#include "worker/services/metric_service.h"
#include "worker/services/reflection_service.h"

struct worker {
    const struct heritage *heritage;
    int signal_fd;
    struct journal *journal;
    struct commit *commit; /* NULL unless segments.durability is "machine" */
    struct metric_service *metric_service;
    struct health_service *health_service;
    struct reflection_service *reflection_service;
    struct methods methods;
    struct server *server;
    struct calls *calls;
    struct acceptor *acceptor;
};

static void
on_tick(void *context, uint64_t now_ms)
{
    const struct worker *worker = context;
    journal_look(worker->journal, now_ms);
}

static void
sync_journal(void *context)
{
    journal_sync(context);
}

static int
prepare(struct worker *worker)
{
    const struct heritage *heritage = worker->heritage;
    int result = child_begin(heritage, &worker->signal_fd);
    if (result == 0)
        result = journal_open(&worker->journal, heritage);
    if (result == 0)
        journal_look(worker->journal, clock_monotonic_ms());
    if (result == 0)
        result = metric_service_open(&worker->metric_service, &worker->methods, heritage,
                                     worker->journal);
    if (result == 0)
        result = health_service_open(&worker->health_service, &worker->methods, heritage);
    if (result == 0)
        result = reflection_service_open(&worker->reflection_service, &worker->methods);
    if (result != 0)
        return result;
    worker->methods.tick = on_tick;
    worker->methods.tick_context = worker;
    if (heritage->settings->segments_durability == DURABILITY_MACHINE) {
        result = journal_start_helper(worker->journal);
        if (result == 0)
            result = commit_start(&worker->commit, sync_journal, worker->journal);
        if (result != 0)
            return result;
    }
    library_log_take();
    grpc_init();
    connection_age_prepare();
    result = server_open(&worker->server, heritage->settings,
                         &heritage->scoreboard->slots[heritage->slot]);
    if (result == 0)
        result = calls_open(&worker->calls, worker->server, &worker->methods, worker->commit);
    if (result == 0)
        result = acceptor_start(&worker->acceptor, heritage, worker->server, worker->signal_fd);
    return result;
}

int
worker_main(const struct heritage *heritage)
{
    struct worker worker = {.heritage = heritage, .signal_fd = -1};
    int result = prepare(&worker);
    if (result != 0) {
        log_write(LOG_LEVEL_ERROR, "cannot start", LOG_FIELDS(log_error(result)));
        return EXIT_FAILURE;
    }
    child_ready(heritage);
    result = server_run(worker.server);
    /* A connection that will not end cannot be freed: it is left to the kernel, and the open
     * segment to the collector. */
    if (result != 0)
        _exit(0);
    commit_stop(&worker.commit);
    journal_close(&worker.journal);
    acceptor_stop(&worker.acceptor);
    server_close(&worker.server);
    calls_close(&worker.calls);
    grpc_shutdown();
    metric_service_close(&worker.metric_service);
    health_service_close(&worker.health_service);
    reflection_service_close(&worker.reflection_service);
    return 0;
}
