/* burst.c -- the cork's policy. In the main thread of a worker, but for connections, which come and
 * go in the acceptor's. */
#include "worker/grpc/burst.h"

#include "worker/grpc/connection.h"
#include "worker/grpc/cork.h"

/* The cork is put in when more answers than this are under way for each connection. Where that was
 * so, the next burst is corked from its first answer on. */
#define ANSWERS_PER_CONNECTION 2

/* It stays for so long at most: a large call must not keep the answers before it. */
#define STAY_NS 500000

static bool
are_many(const struct burst *burst, size_t answers)
{
    return answers > ANSWERS_PER_CONNECTION * cork_connections(burst->cork);
}

int
burst_open(struct burst *burst, size_t connections_max)
{
    *burst = (struct burst){.cork = NULL};
    return cork_open(&burst->cork, connections_max);
}

void
burst_add_connection(struct burst *burst, const struct connection *connection)
{
    cork_add(burst->cork, connection->watch_fd);
}

void
burst_remove_connection(struct burst *burst, const struct connection *connection)
{
    cork_remove(burst->cork, connection->watch_fd);
}

void
burst_answer(struct burst *burst, size_t under_way, uint64_t now_ns)
{
    burst->corked_answers++;
    if (cork_is_in(burst->cork) || (!burst->goes_on && !are_many(burst, under_way)))
        return;
    cork_put(burst->cork);
    burst->corked_ns = now_ns;
    burst->corked_answers = 1;
}

bool
burst_is_corked(const struct burst *burst)
{
    return cork_is_in(burst->cork);
}

bool
burst_may_stay(const struct burst *burst, uint64_t now_ns)
{
    return now_ns < burst->corked_ns + STAY_NS;
}

void
burst_end(struct burst *burst)
{
    if (!cork_is_in(burst->cork))
        return;
    cork_pull(burst->cork);
    burst->goes_on = are_many(burst, burst->corked_answers);
}

void
burst_close(struct burst *burst)
{
    cork_close(&burst->cork);
}
