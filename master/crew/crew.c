/* crew.c -- the processes of the master and their slots. Runs in the master.
 *
 * A death changes more than one slot: the dead worker's segment has lost its writer (the collector
 * must look), and the turn to accept may have been its own (the other workers must look). Both are
 * told before anything else is done.
 */
#include "master/crew/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "common/heritage.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/crew/crew_private.h"
#include "master/takeover/handover.h"
#include "master/crew/obituary.h"
#include "master/crew/slot.h"
#include "master/crew/spawn.h"

/* A stalled collector holds up nobody's call, and a slow disk is no reason to kill it. */
#define COLLECTOR_STALL_FACTOR 6

/* Nobody can stand in for the collector, and each of its lives merges something: it is never kept
 * waiting for long. */
#define COLLECTOR_READY_BACKOFF_MS_MAX 1000

/* What is said of a child. */
struct role {
    const char *name;
    const char *started;
    const char *ready;
    const char *ended;
};

static const struct role *
role_of(const struct crew *crew, uint32_t index)
{
    static const struct role worker = {"worker", "worker started", "worker ready", "worker ended"};
    static const struct role collector = {"collector", "collector started", "collector ready",
                                          "collector ended"};
    static const struct role admin = {"admin", "admin started", "admin ready", "admin ended"};
    if (index < crew->common->worker_count)
        return &worker;
    return index == crew->common->worker_count ? &collector : &admin;
}

static bool
is_worker(const struct crew *crew, uint32_t index)
{
    return index < crew->common->worker_count;
}

bool
crew_is_collector(const struct crew *crew, uint32_t index)
{
    return index == crew->common->worker_count;
}

static uint64_t
heartbeat_of(const struct crew *crew, uint32_t index)
{
    return atomic_load_explicit(&crew->common->scoreboard->slots[index].heartbeat,
                                memory_order_relaxed);
}

int
crew_open(struct crew **out, const struct heritage *common, const struct handover *handover,
          struct sd_event *loop, uint64_t now_ms)
{
    const struct settings *settings = common->settings;
    uint32_t count = common->worker_count + (common->fds[HERITAGE_FD_ADMIN] >= 0 ? 2 : 1);
    struct crew *crew = calloc(1, sizeof(*crew) + count * sizeof(struct member));
    if (crew == NULL)
        return -ENOMEM;
    crew->common = common;
    crew->loop = loop;
    crew->next_incarnation = handover->next_incarnation;
    crew->count = count;
    crew->worker_rules = (struct slot_rules){
        .start_limit_ms = (uint64_t)settings->workers_start_timeout_ms,
        .stall_limit_ms = (uint64_t)settings->workers_stall_timeout_ms,
        .ready_backoff_ms_max = SLOT_BACKOFF_MS_MAX,
        .may_fail = true,
    };
    crew->collector_rules = crew->worker_rules;
    crew->collector_rules.stall_limit_ms *= COLLECTOR_STALL_FACTOR;
    crew->collector_rules.ready_backoff_ms_max = COLLECTOR_READY_BACKOFF_MS_MAX;
    crew->collector_rules.may_fail = false;
    crew->admin_rules = crew->worker_rules;
    crew->admin_rules.may_fail = false; /* nobody waits for it, and it may mend */
    for (uint32_t i = 0; i < count; i++) {
        struct member *member = &crew->members[i];
        slot_init(&member->slot, is_worker(crew, i)           ? &crew->worker_rules
                                 : crew_is_collector(crew, i) ? &crew->collector_rules
                                                              : &crew->admin_rules);
        slot_start(&member->slot, 0);
        member->ready_fd = -1;
    }
    *out = crew;
    return elders_open(&crew->elders, handover->elders, handover->elder_count, now_ms);
}

static void
close_ready(struct member *member)
{
    member->ready_source = sd_event_source_unref(member->ready_source);
    if (member->ready_fd >= 0)
        (void)close(member->ready_fd);
    member->ready_fd = -1;
}

void
crew_close(struct crew **cp)
{
    if (*cp == NULL)
        return;
    for (uint32_t i = 0; i < (*cp)->count; i++)
        close_ready(&(*cp)->members[i]);
    elders_close(&(*cp)->elders);
    free(*cp);
    *cp = NULL;
}

static void
wake(int event_fd)
{
    uint64_t one = 1;
    ssize_t written = write(event_fd, &one, sizeof(one));
    (void)written; /* it can only fail because it is set already */
}

/* ---- forking */

/* Only wakes the loop: crew_hear() reads. */
static int
on_ready(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)fd;
    (void)events;
    (void)context;
    return 0;
}

void
crew_spawn(struct crew *crew, uint32_t index, uint64_t now_ms)
{
    struct member *member = &crew->members[index];
    uint64_t incarnation = crew->next_incarnation++;
    pid_t pid = 0;
    INVARIANT(member->ready_fd < 0);
    int result = spawn_child(crew->common, index, incarnation, &pid, &member->ready_fd);
    if (result != 0) {
        slot_spawn_failed(&member->slot, now_ms);
        log_write(LOG_LEVEL_ERROR, "cannot fork",
                  LOG_FIELDS(log_u64("slot", index), log_error(result)));
        return;
    }
    slot_spawned(&member->slot, pid, incarnation, heartbeat_of(crew, index), now_ms);
    result = sd_event_add_io(crew->loop, &member->ready_source, member->ready_fd, EPOLLIN, on_ready,
                             crew);
    if (result < 0) /* it is heard all the same, when the loop next wakes */
        log_write(LOG_LEVEL_ERROR, "cannot watch a readiness pipe", LOG_FIELDS(log_error(result)));
    log_write(LOG_LEVEL_INFO, role_of(crew, index)->started,
              LOG_FIELDS(log_u64("slot", index), log_i64("child_pid", pid),
                         log_u64("incarnation", incarnation)));
}

static void
hear_member(struct crew *crew, uint32_t index, uint64_t now_ms)
{
    struct member *member = &crew->members[index];
    char byte = 0;
    if (member->ready_fd < 0)
        return;
    ssize_t size = read(member->ready_fd, &byte, 1);
    if (size < 0)
        return; /* it has not said anything yet */
    close_ready(member);
    if (size != 1 || !slot_ready(&member->slot, now_ms))
        return; /* it closed the pipe, as the dead do, or it is too late */
    log_write(LOG_LEVEL_INFO, role_of(crew, index)->ready,
              LOG_FIELDS(log_u64("slot", index), log_i64("child_pid", member->slot.pid),
                         log_u64("incarnation", member->slot.incarnation),
                         log_u64("start_ms", now_ms - member->slot.spawned_ms)));
}

void
crew_hear(struct crew *crew, uint64_t now_ms)
{
    for (uint32_t i = 0; i < crew->count; i++)
        hear_member(crew, i, now_ms);
}

/* ---- burying */

static bool
has_veteran(const struct crew *crew, uint32_t dead)
{
    for (uint32_t i = 0; i < crew->common->worker_count; i++) {
        if (i != dead && slot_is_healthy(&crew->members[i].slot))
            return true;
    }
    return false;
}

static enum crew_end
judge_end(const struct slot *slot, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CREW_END_DONE;
    return slot_status_is_final(status) || slot->doom != SLOT_DOOM_NONE ? CREW_END_UNFINISHED
                                                                        : CREW_END_DIED;
}

/* Tells the living that a worker has gone. */
static void
announce_death(const struct crew *crew)
{
    atomic_fetch_add(&crew->common->scoreboard->segments_changed, 1);
    wake(crew->common->fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
    for (uint32_t i = 0; i < crew->common->worker_count; i++)
        wake(crew->common->turn_fds[i]);
}

static enum tally_death
cause_of_death(const struct slot *slot, int status)
{
    switch (slot->doom) {
    case SLOT_DOOM_SLOW_START:
        return TALLY_DEATH_SLOW_START;
    case SLOT_DOOM_STALLED:
        return TALLY_DEATH_STALLED;
    case SLOT_DOOM_SLOW_DRAIN: /* it was told to end */
    case SLOT_DOOM_NONE:
        break;
    }
    return WIFSIGNALED(status) ? TALLY_DEATH_SIGNAL : TALLY_DEATH_EXIT;
}

static void
bury(struct crew *crew, uint32_t index, int status, uint64_t now_ms)
{
    struct slot *slot = &crew->members[index].slot;
    struct scoreboard *scoreboard = crew->common->scoreboard;
    hear_member(crew, index, now_ms); /* it may have been ready for an instant */
    close_ready(&crew->members[index]);
    struct obituary obituary = {
        .event = role_of(crew, index)->ended,
        .slot = index,
        .pid = slot->pid,
        .incarnation = slot->incarnation,
        .status = status,
        .age_ms = now_ms - slot->spawned_ms,
        .connections = atomic_load(&scoreboard->slots[index].connections),
        .draining = slot->state == SLOT_DRAINING,
    };
    scoreboard_clear_slot(scoreboard, index);
    if (!obituary.draining)
        tally_add(&scoreboard->slots[index].process.deaths[cause_of_death(slot, status)], 1);
    if (is_worker(crew, index))
        announce_death(crew);
    else if (crew_is_collector(crew, index) && obituary.draining)
        crew->collector_end = judge_end(slot, status);
    slot_exited(slot, status, is_worker(crew, index) && has_veteran(crew, index), now_ms);
    obituary_write(&obituary, slot, now_ms);
}

static uint32_t
find_member(const struct crew *crew, pid_t pid)
{
    uint32_t index = 0;
    while (index < crew->count && crew->members[index].slot.pid != pid)
        index++;
    return index;
}

void
crew_reap(struct crew *crew, uint64_t now_ms)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        uint32_t index = find_member(crew, pid);
        if (index < crew->count)
            bury(crew, index, status, now_ms);
        else if (elders_bury(crew->elders, pid, status, now_ms))
            announce_death(crew);
        else
            log_write(LOG_LEVEL_DEBUG, "reaped an orphan of somebody else",
                      LOG_FIELDS(log_i64("orphan_pid", pid)));
    }
}

/* ---- deadlines */

static void
end_member(const struct crew *crew, uint32_t index, int signal_number, const char *event)
{
    const struct slot *slot = &crew->members[index].slot;
    INVARIANT(slot->pid > 0);
    log_write(LOG_LEVEL_ERROR, event,
              LOG_FIELDS(log_string("role", role_of(crew, index)->name), log_u64("slot", index),
                         log_i64("child_pid", slot->pid), log_u64("incarnation", slot->incarnation),
                         log_string("doomed", slot_doom_name(slot->doom))));
    (void)kill(slot->pid, signal_number);
}

/* Tells the scoreboard how the slot stands. */
static void
publish(const struct crew *crew, uint32_t index)
{
    const struct slot *slot = &crew->members[index].slot;
    struct process_tally *process = &crew->common->scoreboard->slots[index].process;
    atomic_store_explicit(&process->state, slot->state, memory_order_relaxed);
    atomic_store_explicit(&process->healthy, slot_is_healthy(slot) ? 1 : 0, memory_order_relaxed);
    atomic_store_explicit(&process->pid, slot->pid, memory_order_relaxed);
    tally_set(&process->incarnation, slot->incarnation);
}

static void
tick_member(struct crew *crew, uint32_t index, uint64_t now_ms)
{
    switch (slot_tick(&crew->members[index].slot, heartbeat_of(crew, index), now_ms)) {
    case SLOT_ACTION_NONE:
        break;
    case SLOT_ACTION_SPAWN:
        crew_spawn(crew, index, now_ms);
        break;
    case SLOT_ACTION_ABORT:
        end_member(crew, index, SIGABRT, "aborting a process");
        break;
    case SLOT_ACTION_KILL:
        end_member(crew, index, SIGKILL, "killing a process");
        break;
    }
    publish(crew, index);
}

void
crew_tick(struct crew *crew, uint64_t now_ms)
{
    for (uint32_t i = 0; i < crew->count; i++)
        tick_member(crew, i, now_ms);
    elders_tick(crew->elders, now_ms);
}

uint64_t
crew_deadline_ms(const struct crew *crew)
{
    uint64_t earliest = elders_deadline_ms(crew->elders);
    for (uint32_t i = 0; i < crew->count; i++) {
        uint64_t deadline = slot_deadline_ms(&crew->members[i].slot);
        earliest = deadline < earliest ? deadline : earliest;
    }
    return earliest;
}
