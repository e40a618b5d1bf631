/* crew_orders.c -- what the supervisor asks of the crew, and what it orders. Runs in the master. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "common/child.h"
#include "common/heritage.h"
#include "master/crew/crew_private.h"
#include "master/crew/succession.h"

/* The one collector. */
static uint32_t
find_collector(const struct crew *crew)
{
    uint32_t index = 0;
    while (index < crew->count && crew->members[index].role != ROLE_COLLECTOR)
        index++;
    INVARIANT(index < crew->count);
    return index;
}

/* ---- what the supervisor asks */

static uint32_t
count_workers(const struct crew *crew, enum slot_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < crew->count; i++)
        count += crew->members[i].role == ROLE_WORKER && crew->members[i].slot.state == state;
    return count;
}

bool
crew_serves(const struct crew *crew)
{
    uint32_t ready = count_workers(crew, SLOT_READY);
    return ready > 0 && ready + count_workers(crew, SLOT_FAILED) == crew->common->worker_count;
}

bool
crew_has_failed(const struct crew *crew)
{
    return count_workers(crew, SLOT_FAILED) == crew->common->worker_count;
}

bool
crew_is_ready(const struct crew *crew)
{
    return count_workers(crew, SLOT_READY) > 0;
}

bool
crew_has_serving_elders(const struct crew *crew)
{
    return elders_serve(crew->elders);
}

bool
crew_has_workers(const struct crew *crew)
{
    if (elders_have_workers(crew->elders))
        return true;
    for (uint32_t i = 0; i < crew->count; i++) {
        if (crew->members[i].role == ROLE_WORKER && crew->members[i].slot.pid != 0)
            return true;
    }
    return false;
}

bool
crew_has_anyone(const struct crew *crew)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        if (crew->members[i].slot.pid != 0)
            return true;
    }
    return elders_are_left(crew->elders);
}

/* ---- ending */

static void
drain_member(struct crew *crew, uint32_t index, enum child_order order, uint64_t kill_at_ms)
{
    struct slot *slot = &crew->members[index].slot;
    if (slot_drain(slot, kill_at_ms))
        (void)kill(slot->pid, child_order_signal(order));
}

void
crew_drain_elders(struct crew *crew, uint64_t now_ms)
{
    elders_drain(crew->elders, now_ms);
}

void
crew_drain_workers(struct crew *crew, uint64_t now_ms, uint64_t kill_at_ms)
{
    elders_drain(crew->elders, now_ms);
    for (uint32_t i = 0; i < crew->count; i++) {
        if (crew->members[i].role == ROLE_WORKER)
            drain_member(crew, i, CHILD_ORDER_DRAIN, kill_at_ms);
    }
}

void
crew_drain_collector(struct crew *crew, uint64_t now_ms, uint64_t kill_at_ms)
{
    uint32_t index = find_collector(crew);
    struct slot *slot = &crew->members[index].slot;
    INVARIANT(!crew_has_workers(crew)); /* whatever they leave is there to be merged */
    if (slot->pid == 0) {
        (void)slot_drain(slot, kill_at_ms); /* out of a back-off, if it was in one */
        slot_start(slot, now_ms);
        crew_spawn(crew, index, now_ms);
    }
    crew->collector_end = slot->pid != 0 ? CREW_END_RUNNING : CREW_END_DIED;
    drain_member(crew, index, CHILD_ORDER_DRAIN, kill_at_ms);
}

enum crew_end
crew_collector_end(const struct crew *crew)
{
    return crew->collector_end;
}

void
crew_reopen_outputs(const struct crew *crew)
{
    pid_t collector = crew->members[find_collector(crew)].slot.pid;
    if (collector != 0) /* else the next one begins with none open */
        (void)kill(collector, child_order_signal(CHILD_ORDER_REOPEN));
}

void
crew_stop(struct crew *crew, uint64_t kill_at_ms)
{
    elders_stop(crew->elders, kill_at_ms);
    for (uint32_t i = 0; i < crew->count; i++)
        drain_member(crew, i, CHILD_ORDER_STOP, kill_at_ms);
}

/* ---- handing over */

static struct elder
export_member(const struct crew *crew, uint32_t index, uint64_t patience_ms, uint64_t now_ms)
{
    const struct member *member = &crew->members[index];
    return (struct elder){
        .pid = member->slot.pid,
        .incarnation = member->slot.incarnation,
        .age_ms = now_ms - member->slot.spawned_ms,
        .patience_ms = patience_ms,
        .slot = index,
        .role = (uint8_t)member->role,
    };
}

int
crew_export(const struct crew *crew, struct succession *after, uint64_t patience_ms,
            uint64_t now_ms)
{
    size_t count = elders_count(crew->elders);
    struct elder *list = calloc(count + crew->count, sizeof(*list));
    if (list == NULL)
        return -ENOMEM;
    elders_export(crew->elders, list, now_ms);
    for (uint32_t i = 0; i < crew->count; i++) {
        if (crew->members[i].slot.pid != 0)
            list[count++] = export_member(crew, i, patience_ms, now_ms);
    }
    INVARIANT(crew->next_incarnation >= after->next_incarnation);
    free(after->elders);
    *after = (struct succession){
        .next_incarnation = crew->next_incarnation, .elders = list, .elder_count = count};
    return 0;
}
