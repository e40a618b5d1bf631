/* burst.h -- when the cork is put in and pulled (cork.h): answers to many calls that came at once
 * leave together, the answer to a single call waits for nobody.
 *
 * In the main thread of a worker, but for connections, which come and go in the acceptor's.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_BURST_H
#define MYGRPCADAPTER_WORKER_GRPC_BURST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct cork;

struct burst {
    struct cork *cork;
    /* When the cork was put in, and the answers sent since. */
    uint64_t corked_ns;
    size_t corked_answers;
    /* The cork was worth it last time. */
    bool goes_on;
};

/* Makes one for at most `connections_max` connections; those beyond are written as ever. Returns 0
 * or -ENOMEM. */
int burst_open(struct burst *burst, size_t connections_max);

/* Any thread. A connection must be removed before it is closed. */
void burst_add_connection(struct burst *burst, const struct connection *connection);
void burst_remove_connection(struct burst *burst, const struct connection *connection);

/* An answer is about to be sent, one of `under_way`: puts the cork in if those are many. `now_ns`
 * is CLOCK_MONOTONIC. */
void burst_answer(struct burst *burst, size_t under_way, uint64_t now_ns);

/* Whether the cork is in, and whether it may still stay. */
bool burst_is_corked(const struct burst *burst);
bool burst_may_stay(const struct burst *burst, uint64_t now_ns);

/* Pulls the cork, if it is in. To be called before the thread waits for anything. */
void burst_end(struct burst *burst);

void burst_close(struct burst *burst);

#endif
