/* turn.c -- what a worker says of itself on the scoreboard, and what follows for whose turn it is.
 * Runs in a worker, in the acceptor's thread. */
#include "worker/grpc/turn.h"

#include <stdatomic.h>

#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"

/* How long a worker's word that it is willing holds: some ticks of the acceptor. */
#define WILLING_MS 600

/* The main loop is stuck if it has not turned for so long. */
#define LOOP_FRESH_MS 1000

/* For so long a worker that was short of something leaves connections to others. */
#define REFUSED_MS 1000

static struct scoreboard_slot *
own_slot(const struct turn *turn)
{
    return &turn->heritage->scoreboard->slots[turn->heritage->slot];
}

void
turn_begin(struct turn *turn, const struct heritage *heritage, uint64_t now_ms)
{
    *turn = (struct turn){.heritage = heritage, .heartbeat_ms = now_ms};
}

void
turn_refuse(struct turn *turn, uint64_t now_ms)
{
    turn->refused_until_ms = now_ms + REFUSED_MS;
}

static bool
loop_is_fresh(struct turn *turn, uint64_t now_ms)
{
    uint64_t heartbeat = atomic_load(&own_slot(turn)->heartbeat);
    if (heartbeat != turn->heartbeat_seen) {
        turn->heartbeat_seen = heartbeat;
        turn->heartbeat_ms = now_ms;
    }
    return now_ms < turn->heartbeat_ms + LOOP_FRESH_MS;
}

static bool
is_willing(struct turn *turn, uint64_t now_ms)
{
    uint64_t connections_max = (uint64_t)turn->heritage->settings->workers_max_connections;
    return loop_is_fresh(turn, now_ms) && now_ms >= turn->refused_until_ms &&
           atomic_load(&own_slot(turn)->connections) < connections_max;
}

uint32_t
turn_agree(struct turn *turn, bool draining, uint64_t now_ms)
{
    const struct heritage *heritage = turn->heritage;
    bool willing = !draining && is_willing(turn, now_ms);
    atomic_store(&own_slot(turn)->willing_until_ms, willing ? now_ms + WILLING_MS : 0);
    return scoreboard_turn(heritage->scoreboard, heritage->worker_count, now_ms);
}

bool
turn_any_willing(const struct turn *turn, uint64_t now_ms)
{
    const struct heritage *heritage = turn->heritage;
    return scoreboard_turn(heritage->scoreboard, heritage->worker_count, now_ms) != UINT32_MAX;
}
