/* supervisor_end.c -- how the crew ends: the workers drain, then the collector merges what they
 * left, or everybody stops at once. Runs in the master. */
#include "master/supervisor_end.h"

#include <sysexits.h>

#include "base/invariant.h"
#include "base/log.h"
#include "common/heritage.h"
#include "common/settings.h"
#include "master/crew/crew.h"
#include "master/listener.h"
#include "master/service_manager.h"
#include "master/supervisor_state.h"

/* A worker that drains ends by itself after workers.drain_timeout_ms; so much later it is killed.
 */
#define WORKER_DRAIN_MARGIN_MS 5000

/* The collector has so much more than workers.drain_timeout_ms to merge what the workers left. */
#define COLLECTOR_DRAIN_MARGIN_MS 30000

/* So many collectors, one after the other, may die while they merge what is left. */
#define COLLECTOR_DRAINS_MAX 5

/* From the order to end at once to SIGKILL. */
#define STOP_GRACE_MS 1000

uint64_t
supervisor_worker_patience_ms(const struct supervisor *supervisor)
{
    return (uint64_t)supervisor->common->settings->workers_drain_timeout_ms +
           WORKER_DRAIN_MARGIN_MS;
}

/* Ends the serving, whatever comes then. */
static void
close_down(struct supervisor *supervisor, enum phase phase, int exit_code)
{
    phase_enter(&supervisor->phase, phase);
    supervisor->exit_code = exit_code;
    service_manager_tell_stopping();
    listener_close(supervisor->listener);
}

void
supervisor_drain(struct supervisor *supervisor, int exit_code, const char *reason)
{
    if (!phase_may_become(supervisor->phase, PHASE_DRAINING_WORKERS))
        return;
    log_write(exit_code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "draining",
              LOG_FIELDS(log_string("reason", reason)));
    close_down(supervisor, PHASE_DRAINING_WORKERS, exit_code);
    service_manager_tell_status("draining: %s", reason);
    uint64_t now_ms = supervisor_now(supervisor);
    crew_drain_workers(supervisor->crew, now_ms,
                       now_ms + supervisor_worker_patience_ms(supervisor));
}

void
supervisor_stop(struct supervisor *supervisor)
{
    if (!phase_may_become(supervisor->phase, PHASE_STOPPING))
        return;
    log_write(LOG_LEVEL_INFO, "stopping at once", NULL);
    close_down(supervisor, PHASE_STOPPING, 0);
    service_manager_tell_status("stopping at once");
    crew_stop(supervisor->crew, supervisor_now(supervisor) + STOP_GRACE_MS);
}

static void
finish(struct supervisor *supervisor)
{
    INVARIANT(!crew_has_anyone(supervisor->crew));
    phase_enter(&supervisor->phase, PHASE_ENDED);
    log_write(LOG_LEVEL_INFO, "ending", LOG_FIELDS(log_i64("exit_code", supervisor->exit_code)));
    (void)sd_event_exit(supervisor->loop, supervisor->exit_code);
}

/* All that mattered has ended; who is left is told to. */
static void
dismiss(struct supervisor *supervisor, int exit_code, uint64_t now_ms)
{
    /* That no worker could serve says more than what came of it. */
    if (supervisor->exit_code == 0)
        supervisor->exit_code = exit_code;
    phase_enter(&supervisor->phase, PHASE_STOPPING);
    crew_stop(supervisor->crew, now_ms + STOP_GRACE_MS);
    if (!crew_has_anyone(supervisor->crew))
        finish(supervisor);
}

/* The workers are gone: whatever they left is there for the collector to finish. */
static void
drain_collector(struct supervisor *supervisor, uint64_t now_ms)
{
    if (supervisor->phase != PHASE_DRAINING_COLLECTOR) {
        uint64_t limit_ms = (uint64_t)supervisor->common->settings->workers_drain_timeout_ms +
                            COLLECTOR_DRAIN_MARGIN_MS;
        phase_enter(&supervisor->phase, PHASE_DRAINING_COLLECTOR);
        supervisor->collector_kill_at_ms = now_ms + limit_ms;
        service_manager_tell_status("draining: merging what is left");
    }
    supervisor->collector_drains++;
    crew_drain_collector(supervisor->crew, now_ms, supervisor->collector_kill_at_ms);
}

static void
dismiss_unmerged(struct supervisor *supervisor, uint64_t now_ms)
{
    log_write(LOG_LEVEL_ERROR,
              "not everything could be merged; it is kept in the segments for the next start",
              NULL);
    dismiss(supervisor, EX_TEMPFAIL, now_ms);
}

static void
judge_collector(struct supervisor *supervisor, uint64_t now_ms)
{
    switch (crew_collector_end(supervisor->crew)) {
    case CREW_END_RUNNING:
        break;
    case CREW_END_DONE:
        dismiss(supervisor, 0, now_ms);
        break;
    case CREW_END_UNFINISHED:
        dismiss_unmerged(supervisor, now_ms);
        break;
    case CREW_END_DIED:
        if (supervisor->collector_drains < COLLECTOR_DRAINS_MAX)
            drain_collector(supervisor, now_ms);
        else
            dismiss_unmerged(supervisor, now_ms);
        break;
    }
}

void
supervisor_go_on_ending(struct supervisor *supervisor, uint64_t now_ms)
{
    switch (supervisor->phase) {
    case PHASE_DRAINING_WORKERS:
        if (!crew_has_workers(supervisor->crew))
            drain_collector(supervisor, now_ms);
        break;
    case PHASE_DRAINING_COLLECTOR:
        judge_collector(supervisor, now_ms);
        break;
    case PHASE_STOPPING:
        if (!crew_has_anyone(supervisor->crew))
            finish(supervisor);
        break;
    case PHASE_STARTING:
    case PHASE_SERVING:
    case PHASE_STUCK:
    case PHASE_ENDED:
    case PHASES:
        INVARIANT(false);
    }
}
