/* cork.c -- TCP_CORK on all connections of a worker at once: gRPC does not say which connection a
 * call came by. A connection whose option cannot be set is written as ever. */
#include "worker/grpc/cork.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

struct cork {
    /* Guards the descriptors and every change of their number. The number is read without it. */
    pthread_mutex_t lock;
    _Atomic size_t count;
    size_t capacity;
    bool in;
    /* One of each connection. */
    int fds[];
};

static void
set_option(int fd, int on)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

int
cork_open(struct cork **out, size_t connections_max)
{
    struct cork *cork = calloc(1, sizeof(*cork) + connections_max * sizeof(cork->fds[0]));
    if (cork == NULL)
        return -ENOMEM;
    (void)pthread_mutex_init(&cork->lock, NULL); /* cannot fail with default attributes */
    cork->capacity = connections_max;
    *out = cork;
    return 0;
}

void
cork_add(struct cork *cork, int fd)
{
    (void)pthread_mutex_lock(&cork->lock);
    size_t count = atomic_load_explicit(&cork->count, memory_order_relaxed);
    if (count < cork->capacity) {
        cork->fds[count] = fd;
        atomic_store_explicit(&cork->count, count + 1, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&cork->lock);
}

void
cork_remove(struct cork *cork, int fd)
{
    (void)pthread_mutex_lock(&cork->lock);
    size_t count = atomic_load_explicit(&cork->count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        if (cork->fds[i] != fd)
            continue;
        /* A client that has only ended its own half still gets its answers. */
        set_option(fd, 0);
        cork->fds[i] = cork->fds[count - 1];
        atomic_store_explicit(&cork->count, count - 1, memory_order_relaxed);
        break;
    }
    (void)pthread_mutex_unlock(&cork->lock);
}

size_t
cork_connections(const struct cork *cork)
{
    return atomic_load_explicit(&cork->count, memory_order_relaxed);
}

static void
set_all(struct cork *cork, bool in)
{
    if (cork->in == in)
        return;
    (void)pthread_mutex_lock(&cork->lock);
    size_t count = atomic_load_explicit(&cork->count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        set_option(cork->fds[i], in ? 1 : 0);
    (void)pthread_mutex_unlock(&cork->lock);
    cork->in = in;
}

void
cork_put(struct cork *cork)
{
    set_all(cork, true);
}

void
cork_pull(struct cork *cork)
{
    set_all(cork, false);
}

bool
cork_is_in(const struct cork *cork)
{
    return cork->in;
}

void
cork_close(struct cork **cp)
{
    if (*cp == NULL)
        return;
    (void)pthread_mutex_destroy(&(*cp)->lock);
    free(*cp);
    *cp = NULL;
}
