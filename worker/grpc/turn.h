/* turn.h -- whose turn it is to take a connection, agreed on through the scoreboard.
 *
 * The turn is the willing worker's with the fewest connections. A worker is willing while its main
 * loop turns, it is not draining, it has fewer than workers.max_connections, and it has not just
 * been short of something; what it says of itself holds for a moment only, so that one that hangs
 * or is stopped drops out by itself. Runs in a worker, in the acceptor's thread.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_TURN_H
#define MYGRPCADAPTER_WORKER_GRPC_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct heritage;

/* What a worker knows of itself. */
struct turn {
    const struct heritage *heritage;
    /* The main loop's heartbeat, and when it was seen to have changed. */
    uint64_t heartbeat_seen;
    uint64_t heartbeat_ms;
    /* There was too little of something for a connection: not willing until then. */
    uint64_t refused_until_ms;
};

/* Times are CLOCK_MONOTONIC. The main loop counts as turning at first. */
void turn_begin(struct turn *turn, const struct heritage *heritage, uint64_t now_ms);

/* Leaves connections to others for a while. */
void turn_refuse(struct turn *turn, uint64_t now_ms);

/* Says on the scoreboard whether this worker is willing, never if `draining`. Returns the slot
 * whose turn it is, or UINT32_MAX if no worker is willing. */
uint32_t turn_agree(struct turn *turn, bool draining, uint64_t now_ms);

/* Whether any worker is willing. */
bool turn_any_willing(const struct turn *turn, uint64_t now_ms);

#endif
