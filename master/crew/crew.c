/* crew.c -- the processes of the master and their slots. Runs in the master.
 *
 * A death changes more than one slot: the dead worker's segment has lost its writer (the collector
 * must look), and the turn to accept may have been its own (the other workers must look). Both are
 * told before anything else is done.
 */
#include "master/crew/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/event.h"
#include "base/invariant.h"
#include "base/log.h"
#include "common/heritage.h"
#include "common/role.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/crew/crew_private.h"
#include "master/crew/obituary.h"
#include "master/crew/rules.h"
#include "master/crew/slot.h"
#include "master/crew/spawn.h"
#include "master/crew/succession.h"

/* Room for "collector started" and the like. */
#define EVENT_BYTES 32

_Static_assert(ROLE_WORKER == 0, "the workers have the first slots, as the heritage promises");

/* How many processes of a role the crew has. */
static uint32_t
count_of(const struct heritage *common, enum role role)
{
    switch (role) {
    case ROLE_WORKER:
        return common->worker_count;
    case ROLE_COLLECTOR:
        return 1;
    case ROLE_ADMIN:
        return common->fds[HERITAGE_FD_ADMIN] >= 0 ? 1 : 0;
    case ROLES:
        break;
    }
    return 0;
}

uint32_t
crew_slot_count(const struct heritage *common)
{
    uint32_t count = 0;
    for (enum role role = 0; role < ROLES; role++)
        count += count_of(common, role);
    return count;
}

static uint64_t
heartbeat_of(const struct crew *crew, uint32_t index)
{
    return atomic_load_explicit(&crew->common->scoreboard->slots[index].heartbeat,
                                memory_order_relaxed);
}

/* Puts the processes of each role into the next slots that are free. */
static void
fill_slots(struct crew *crew)
{
    uint32_t index = 0;
    for (enum role role = 0; role < ROLES; role++) {
        rules_make(&crew->rules[role], role, crew->common->settings);
        for (uint32_t i = 0; i < count_of(crew->common, role); i++) {
            struct member *member = &crew->members[index];
            member->role = role;
            member->ready_fd = -1;
            slot_init(&member->slot, &crew->rules[role]);
            slot_start(&member->slot, 0);
            scoreboard_set_role(crew->common->scoreboard, index, role);
            index++;
        }
    }
    INVARIANT(index == crew->count && index == crew->common->scoreboard->slot_count);
}

int
crew_open(struct crew **out, const struct heritage *common, const struct succession *before,
          struct sd_event *loop, uint64_t now_ms)
{
    uint32_t count = crew_slot_count(common);
    struct crew *crew = calloc(1, sizeof(*crew) + count * sizeof(struct member));
    if (crew == NULL)
        return -ENOMEM;
    crew->common = common;
    crew->loop = loop;
    crew->next_incarnation = before->next_incarnation;
    crew->count = count;
    fill_slots(crew);
    *out = crew;
    return elders_open(&crew->elders, before->elders, before->elder_count, now_ms);
}

static void
close_ready(struct member *member)
{
    member->ready_source = sd_event_source_unref(member->ready_source);
    descriptor_close(&member->ready_fd);
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

/* "worker started", say. */
static const char *
event_of(const struct crew *crew, uint32_t index, const char *what, char event[EVENT_BYTES])
{
    (void)snprintf(event, EVENT_BYTES, "%s %s", role_name(crew->members[index].role), what);
    return event;
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
    char event[EVENT_BYTES];
    INVARIANT(member->ready_fd < 0 && member->slot.pid == 0);
    int result =
        spawn_child(crew->common, member->role, index, incarnation, &pid, &member->ready_fd);
    if (result != 0) {
        slot_spawn_failed(&member->slot, now_ms);
        log_write(LOG_LEVEL_ERROR, "cannot start a process",
                  LOG_FIELDS(log_string("role", role_name(member->role)), log_u64("slot", index),
                             log_error(result)));
        return;
    }
    slot_spawned(&member->slot, pid, incarnation, heartbeat_of(crew, index), now_ms);
    result = sd_event_add_io(crew->loop, &member->ready_source, member->ready_fd, EPOLLIN, on_ready,
                             crew);
    if (result < 0) /* it is heard all the same, when the loop next wakes */
        log_write(LOG_LEVEL_ERROR, "cannot watch a readiness pipe", LOG_FIELDS(log_error(result)));
    log_write(LOG_LEVEL_INFO, event_of(crew, index, "started", event),
              LOG_FIELDS(log_u64("slot", index), log_i64("child_pid", pid),
                         log_u64("incarnation", incarnation)));
}

static void
hear_member(struct crew *crew, uint32_t index, uint64_t now_ms)
{
    struct member *member = &crew->members[index];
    char event[EVENT_BYTES];
    char byte = 0;
    if (member->ready_fd < 0)
        return;
    ssize_t size = read(member->ready_fd, &byte, 1);
    if (size < 0)
        return; /* it has not said anything yet */
    close_ready(member);
    if (size != 1 || !slot_ready(&member->slot, now_ms))
        return; /* it closed the pipe, as the dead do, or it is too late */
    log_write(LOG_LEVEL_INFO, event_of(crew, index, "ready", event),
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

/* Whether another process of that role is healthy, which can stand in for the dead one. */
static bool
has_veteran(const struct crew *crew, uint32_t dead)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        const struct member *member = &crew->members[i];
        if (i != dead && member->role == crew->members[dead].role && slot_is_healthy(&member->slot))
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
    event_post(crew->common->fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
    for (uint32_t i = 0; i < crew->common->worker_count; i++)
        event_post(crew->common->turn_fds[i]);
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
    case SLOT_DOOMS:
        break;
    }
    return WIFSIGNALED(status) ? TALLY_DEATH_SIGNAL : TALLY_DEATH_EXIT;
}

/* What the death of a process means to the others of the crew. */
static void
tell_of_death(struct crew *crew, uint32_t index, int status)
{
    const struct member *member = &crew->members[index];
    switch (member->role) {
    case ROLE_WORKER:
        announce_death(crew);
        break;
    case ROLE_COLLECTOR:
        if (member->slot.state == SLOT_DRAINING)
            crew->collector_end = judge_end(&member->slot, status);
        break;
    case ROLE_ADMIN:
    case ROLES:
        break;
    }
}

static void
bury(struct crew *crew, uint32_t index, int status, uint64_t now_ms)
{
    struct member *member = &crew->members[index];
    struct slot *slot = &member->slot;
    struct scoreboard *scoreboard = crew->common->scoreboard;
    hear_member(crew, index, now_ms); /* it may have been ready for an instant */
    close_ready(member);
    struct obituary obituary = {
        .role = member->role,
        .slot = index,
        .pid = slot->pid,
        .incarnation = slot->incarnation,
        .status = status,
        .doom = slot->doom,
        .age_ms = now_ms - slot->spawned_ms,
        .connections = atomic_load(&scoreboard->slots[index].connections),
        .draining = slot->state == SLOT_DRAINING,
    };
    scoreboard_clear_slot(scoreboard, index);
    if (!obituary.draining)
        tally_add(&scoreboard->slots[index].process.deaths[cause_of_death(slot, status)], 1);
    tell_of_death(crew, index, status);
    slot_exited(slot, status, has_veteran(crew, index), now_ms);
    obituary.next_state = slot->state;
    if (slot->state == SLOT_BACKOFF && slot->start_at_ms > now_ms)
        obituary.next_in_ms = slot->start_at_ms - now_ms;
    obituary_write(&obituary);
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
            log_write(LOG_LEVEL_DEBUG, "a process that is not ours ended",
                      LOG_FIELDS(log_i64("ended_pid", pid)));
    }
}

/* ---- deadlines */

static void
end_member(const struct crew *crew, uint32_t index, int signal_number, const char *event)
{
    const struct member *member = &crew->members[index];
    const struct slot *slot = &member->slot;
    INVARIANT(slot->pid > 0 && slot->doom != SLOT_DOOM_NONE);
    log_write(LOG_LEVEL_ERROR, event,
              LOG_FIELDS(log_string("role", role_name(member->role)), log_u64("slot", index),
                         log_i64("child_pid", slot->pid), log_u64("incarnation", slot->incarnation),
                         log_string("reason", slot_doom_text(slot->doom))));
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
