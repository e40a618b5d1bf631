/* supervisor.c -- the loop, and when the crew serves. Runs in the master.
 *
 * One loop, one timer. Handlers only take in what happened; turn(), which runs after any of them
 * and before the loop sleeps, does all that follows from it. So a dead worker is replaced in the
 * turn that reaped it.
 */
#include "master/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/outlet.h"
#include "base/plural.h"
#include "common/heritage.h"
#include "common/settings.h"
#include "master/crew/crew.h"
#include "master/listener.h"
#include "master/service_manager.h"
#include "master/supervisor_end.h"
#include "master/supervisor_state.h"
#include "master/takeover/handover.h"
#include "master/takeover/reload.h"

/* Heartbeats are looked at so often, at least; the scoreboard wakes nobody. */
#define WATCH_MS_MAX 1000
#define WATCHES_PER_STALL 4

/* ---- serving */

static void
print_address(const char *name)
{
    char line[128];
    int length = snprintf(line, sizeof(line), "listening on \"%s\"\n", name);
    const struct iovec part = {line, (size_t)length};
    struct outlet outlet;
    outlet_open(&outlet, STDOUT_FILENO);
    ssize_t written = outlet_write(&outlet, &part, 1);
    outlet_close(&outlet);
    if (written != length)
        log_write(LOG_LEVEL_WARNING, "cannot write to standard output",
                  LOG_FIELDS(log_error(written < 0 ? (int)written : -EAGAIN)));
}

/* Every worker serves: the old ones are not needed any more. */
static void
announce(struct supervisor *supervisor, uint64_t now_ms)
{
    const char *name = listener_name(*supervisor->listener);
    phase_enter(&supervisor->phase, PHASE_SERVING);
    if (!supervisor->taking_over)
        print_address(name);
    log_write(LOG_LEVEL_INFO, supervisor->taking_over ? "taken over" : "listening",
              LOG_FIELDS(log_string("address", name), log_string("version", MYGRPCADAPTER_VERSION),
                         log_u64("workers", supervisor->common->worker_count)));
    crew_drain_elders(supervisor->crew, now_ms);
    service_manager_tell_ready();
    char workers[PLURAL_BYTES];
    service_manager_tell_status("listening on %s, %s", name,
                                plural(workers, supervisor->common->worker_count, "worker"));
}

/* No worker can serve, but old ones do, and go on. */
static void
get_stuck(struct supervisor *supervisor)
{
    INVARIANT(supervisor->taking_over);
    phase_enter(&supervisor->phase, PHASE_STUCK);
    log_write(LOG_LEVEL_ERROR,
              "no new worker can serve; the old workers go on, and HUP or USR2 tries again", NULL);
    service_manager_tell_ready();
    service_manager_tell_status("no new worker can serve; the old workers go on");
}

/* Whether all serve who will: a slot whose process comes and goes does not hold up a takeover for
 * ever. */
static bool
crew_is_settled(const struct supervisor *supervisor, uint64_t now_ms)
{
    const struct settings *settings = supervisor->common->settings;
    if (crew_serves(supervisor->crew))
        return true;
    return supervisor->taking_over && crew_is_ready(supervisor->crew) &&
           now_ms - supervisor->began_ms >= (uint64_t)settings->workers_start_timeout_ms;
}

/* Whether nobody serves, and nobody ever will. */
static bool
is_hopeless(const struct supervisor *supervisor)
{
    return crew_has_failed(supervisor->crew) && !crew_has_serving_elders(supervisor->crew);
}

/* Follows a wish for another program, one change after the other: while a takeover is not
 * finished, the old workers have not been told to drain. */
static void
follow_wishes(struct supervisor *supervisor)
{
    bool is_taken_over =
        supervisor->phase == PHASE_SERVING || !crew_has_serving_elders(supervisor->crew);
    if (is_taken_over || supervisor->phase == PHASE_STUCK)
        reload_advance(supervisor->reload);
}

static void
serve(struct supervisor *supervisor, uint64_t now_ms)
{
    if (is_hopeless(supervisor)) {
        supervisor_drain(supervisor, EX_SOFTWARE, "no worker can serve");
        return;
    }
    if (supervisor->phase == PHASE_STARTING) {
        if (crew_has_failed(supervisor->crew))
            get_stuck(supervisor);
        else if (crew_is_settled(supervisor, now_ms))
            announce(supervisor, now_ms);
    }
    follow_wishes(supervisor);
}

static void
advance(struct supervisor *supervisor, uint64_t now_ms)
{
    switch (supervisor->phase) {
    case PHASE_STARTING:
    case PHASE_SERVING:
    case PHASE_STUCK:
        serve(supervisor, now_ms);
        break;
    case PHASE_DRAINING_WORKERS:
    case PHASE_DRAINING_COLLECTOR:
    case PHASE_STOPPING:
        supervisor_go_on_ending(supervisor, now_ms);
        break;
    case PHASE_ENDED:
    case PHASES:
        break;
    }
}

static uint64_t
watch_interval_ms(const struct settings *settings)
{
    uint64_t interval_ms = (uint64_t)settings->workers_stall_timeout_ms / WATCHES_PER_STALL;
    return interval_ms < WATCH_MS_MAX ? interval_ms : WATCH_MS_MAX;
}

static int
arm_timer(struct supervisor *supervisor, uint64_t now_ms)
{
    uint64_t wake_ms = now_ms + watch_interval_ms(supervisor->common->settings);
    uint64_t deadline_ms = crew_deadline_ms(supervisor->crew);
    if (deadline_ms < wake_ms)
        wake_ms = deadline_ms > now_ms ? deadline_ms : now_ms;
    int result = sd_event_source_set_time(supervisor->timer,
                                          awake_clock_sleep(&supervisor->clock, wake_ms) * 1000);
    if (result < 0)
        return result;
    return sd_event_source_set_enabled(supervisor->timer, SD_EVENT_ONESHOT);
}

/* All that follows from what happened, then back to sleep. */
static int
turn(struct supervisor *supervisor)
{
    uint64_t now_ms = supervisor_now(supervisor);
    crew_hear(supervisor->crew, now_ms);
    crew_tick(supervisor->crew, now_ms);
    advance(supervisor, now_ms);
    return arm_timer(supervisor, now_ms);
}

/* ---- signals */

static void
on_child_ended(struct supervisor *supervisor, const char *name)
{
    (void)name;
    crew_reap(supervisor->crew, supervisor_now(supervisor));
}

static void
on_drain(struct supervisor *supervisor, const char *name)
{
    supervisor_drain(supervisor, 0, name);
}

static void
on_stop(struct supervisor *supervisor, const char *name)
{
    (void)name;
    supervisor_stop(supervisor);
}

static void
on_reload(struct supervisor *supervisor, const char *name)
{
    (void)name;
    reload_want(supervisor->reload, RELOAD_SETTINGS);
}

static void
on_upgrade(struct supervisor *supervisor, const char *name)
{
    (void)name;
    reload_want(supervisor->reload, RELOAD_PROGRAM);
}

static void
on_reopen(struct supervisor *supervisor, const char *name)
{
    (void)name;
    crew_reopen_outputs(supervisor->crew);
}

/* The signals that the master handles, and blocks from its first lines on. */
static const struct {
    int number;
    const char *name;
    void (*handle)(struct supervisor *supervisor, const char *name);
} handled_signals[] = {
    {SIGTERM, "SIGTERM", on_drain},   {SIGINT, "SIGINT", on_drain},
    {SIGQUIT, "SIGQUIT", on_stop},    {SIGCHLD, "SIGCHLD", on_child_ended},
    {SIGHUP, "SIGHUP", on_reload},    {SIGUSR1, "SIGUSR1", on_reopen},
    {SIGUSR2, "SIGUSR2", on_upgrade},
};

#define HANDLED_SIGNALS (sizeof(handled_signals) / sizeof(handled_signals[0]))

void
supervisor_block_signals(void)
{
    sigset_t handled;
    (void)sigemptyset(&handled);
    for (size_t i = 0; i < HANDLED_SIGNALS; i++)
        (void)sigaddset(&handled, handled_signals[i].number);
    (void)sigprocmask(SIG_BLOCK, &handled, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    /* If it is ignored, which is inherited, the kernel reaps children behind our back. */
    (void)signal(SIGCHLD, SIG_DFL);
}

static int
on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
    (void)source;
    for (size_t i = 0; i < HANDLED_SIGNALS; i++) {
        if ((uint32_t)handled_signals[i].number == info->ssi_signo) {
            handled_signals[i].handle(context, handled_signals[i].name);
            return 0;
        }
    }
    INVARIANT(false); /* no others are watched */
    return 0;
}

/* ---- the loop */

static int
on_turn(sd_event_source *source, void *context)
{
    (void)source;
    return turn(context);
}

static int
on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
    (void)source;
    (void)due_us;
    (void)context;
    return 0; /* on_turn() follows */
}

static int
add_sources(struct supervisor *supervisor)
{
    int result = 0;
    for (size_t i = 0; i < HANDLED_SIGNALS && result >= 0; i++)
        result = sd_event_add_signal(supervisor->loop, NULL, handled_signals[i].number, on_signal,
                                     supervisor);
    /* Due at once: the first turn forks everybody. Accurate to a microsecond, as the default is a
     * quarter second. */
    if (result >= 0)
        result = sd_event_add_time(supervisor->loop, &supervisor->timer, CLOCK_MONOTONIC, 0, 1,
                                   on_timer, supervisor);
    if (result >= 0)
        result = sd_event_add_post(supervisor->loop, NULL, on_turn, supervisor);
    return result;
}

static int
complete_handover(void *context, struct handover *handover)
{
    struct supervisor *supervisor = context;
    return crew_export(supervisor->crew, &handover->succession,
                       supervisor_worker_patience_ms(supervisor), supervisor_now(supervisor));
}

static int
run_loop(struct supervisor *supervisor, struct handover *handover, char *const argv[])
{
    const struct settings *settings = supervisor->common->settings;
    supervisor->began_ms = supervisor_now(supervisor);
    int result = sd_event_new(&supervisor->loop);
    if (result >= 0)
        result = crew_open(&supervisor->crew, supervisor->common, &handover->succession,
                           supervisor->loop, supervisor->began_ms);
    if (result >= 0)
        result = reload_open(&supervisor->reload, supervisor->loop, handover, argv,
                             (uint64_t)settings->workers_start_timeout_ms, complete_handover,
                             supervisor);
    if (result >= 0)
        result = add_sources(supervisor);
    if (result < 0)
        return result;
    service_manager_watch(supervisor->loop);
    /* Who died while programs changed has sent its signal to the one before. */
    crew_reap(supervisor->crew, supervisor->began_ms);
    return sd_event_loop(supervisor->loop);
}

int
supervisor_run(const struct heritage *common, struct handover *handover, bool taking_over,
               char *const argv[], struct listener **listener)
{
    struct supervisor supervisor = {.common = common,
                                    .listener = listener,
                                    .phase = PHASE_STARTING,
                                    .taking_over = taking_over};
    int result = run_loop(&supervisor, handover, argv);
    if (result < 0)
        log_write(LOG_LEVEL_ERROR, "the event loop failed", LOG_FIELDS(log_error(result)));
    /* Children that the loop's own failure left behind end with the master: their
     * HERITAGE_FD_LIFE tells them. */
    reload_close(&supervisor.reload);
    crew_close(&supervisor.crew);
    supervisor.timer = sd_event_source_unref(supervisor.timer);
    supervisor.loop = sd_event_unref(supervisor.loop);
    return result < 0 ? EX_OSERR : result;
}
