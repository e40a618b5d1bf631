/* stream_destination.c -- the adapter's standard output, inherited from the master. Runs in the
 * collector.
 *
 * A stream cannot be cut back: after the collector died in a batch, its records are written again
 * (P1: at least once). Standard output may be a pipe whose reader is slow, and the collector must
 * not wait for it while other outputs want to be written: nothing is written before poll(2) says
 * there is room, and then no more than a pipe with room surely takes. A record that stops in its
 * middle goes on from there.
 */
#include "collector/destination/destination.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS 10

struct destination {
    int fd;
};

static int
stream_open(struct destination **out, const struct heritage *heritage, const char *name)
{
    (void)heritage;
    (void)name;
    struct destination *destination = calloc(1, sizeof(*destination));
    if (destination == NULL)
        return -ENOMEM;
    destination->fd = STDOUT_FILENO;
    *out = destination;
    return 0;
}

static void
stream_close(struct destination **dp)
{
    free(*dp);
    *dp = NULL;
}

/* 0 once the stream takes bytes; -EAGAIN if it does not within the patience. */
static int
wait_for_room(const struct destination *destination)
{
    struct pollfd watched = {.fd = destination->fd, .events = POLLOUT};
    int ready = poll(&watched, 1, PATIENCE_MS);
    if (ready < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (ready == 0)
        return -EAGAIN;
    return (watched.revents & POLLNVAL) != 0 ? -EBADF : 0;
}

static int
stream_prepare(struct destination *destination, struct ledger_mark *mark_r)
{
    *mark_r = (struct ledger_mark){0};
    return wait_for_room(destination);
}

/* Writes a record on from *begun bytes, a little at a time. Returns 0, and *begun 0, at its end. */
static int
write_record(const struct destination *destination, const struct iovec *record, size_t *begun)
{
    while (*begun < record->iov_len) {
        int result = wait_for_room(destination);
        if (result != 0)
            return result;
        size_t left = record->iov_len - *begun;
        const char *at = (const char *)record->iov_base + *begun;
        ssize_t written = write(destination->fd, at, left < PIPE_BUF ? left : PIPE_BUF);
        if (written < 0 && errno != EINTR)
            return -errno;
        *begun += written > 0 ? (size_t)written : 0;
    }
    *begun = 0;
    return 0;
}

/* How many of the records fit one write that a pipe with room surely takes whole. */
static size_t
count_short(const struct iovec *records, size_t count)
{
    size_t fitting = 0;
    size_t bytes = 0;
    while (fitting < count && fitting < IOV_MAX && bytes + records[fitting].iov_len <= PIPE_BUF)
        bytes += records[fitting++].iov_len;
    return fitting;
}

/* Writes several short records at once. Returns how many are out whole; what is no pipe may take
 * less than all, and then *begun bytes of the next one are out. */
static size_t
write_short(const struct destination *destination, const struct iovec *records, size_t count,
            struct delivery *delivery)
{
    delivery->error = wait_for_room(destination);
    if (delivery->error != 0)
        return 0;
    ssize_t written = writev(destination->fd, records, (int)count);
    if (written < 0) {
        delivery->error = errno == EINTR ? 0 : -errno;
        return 0;
    }
    size_t whole = 0;
    size_t left = (size_t)written;
    while (whole < count && left >= records[whole].iov_len)
        left -= records[whole++].iov_len;
    delivery->begun_bytes = left;
    return whole;
}

static size_t
stream_deliver(struct destination *destination, const struct iovec *records, size_t count,
               struct delivery *delivery)
{
    size_t delivered = 0;
    delivery->error = 0;
    delivery->mark.length = 0;
    while (delivered < count && delivery->error == 0) {
        size_t batch =
            delivery->begun_bytes > 0 ? 0 : count_short(records + delivered, count - delivered);
        if (batch > 1) {
            delivered += write_short(destination, records + delivered, batch, delivery);
            continue;
        }
        delivery->error = write_record(destination, &records[delivered], &delivery->begun_bytes);
        delivered += delivery->error == 0 ? 1 : 0;
    }
    return delivered;
}

static int
stream_sync(struct destination *destination)
{
    (void)destination;
    return 0;
}

static int
stream_undo(struct destination *destination, const struct ledger_mark *mark)
{
    (void)destination;
    (void)mark;
    return 0;
}

static int
stream_identify(struct destination *destination, uint64_t *device_r, uint64_t *inode_r)
{
    (void)destination;
    (void)device_r;
    (void)inode_r;
    return -ENOENT;
}

static void
stream_release(struct destination *destination)
{
    (void)destination;
}

const struct destination_kind stream_destination = {
    .open = stream_open,
    .prepare = stream_prepare,
    .deliver = stream_deliver,
    .sync = stream_sync,
    .undo = stream_undo,
    .identify = stream_identify,
    .release = stream_release,
    .close = stream_close,
};
