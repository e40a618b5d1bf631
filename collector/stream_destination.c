/* stream_destination.c -- the adapter's standard output, inherited from the master. Runs in the
 * collector.
 *
 * A stream cannot be cut back: after the collector died in a batch, its records are written again
 * (P1: at least once). Standard output may be a pipe whose reader is slow, and the collector must
 * not wait for it while other outputs want to be written: nothing is begun before poll(2) says
 * there is room, and as much as a pipe then surely takes is written at once. Only a record longer
 * than that can wait for the reader in its middle.
 */
#include "collector/destination.h"

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

static int
stream_prepare(struct destination *destination, struct ledger_mark *mark_r)
{
    (void)destination;
    *mark_r = (struct ledger_mark){0};
    return 0;
}

/* 0 once the stream takes bytes; -EAGAIN if it does not within the patience. */
static int
wait_for_room(const struct destination *destination, int patience_ms)
{
    struct pollfd watched = {.fd = destination->fd, .events = POLLOUT};
    int ready = poll(&watched, 1, patience_ms);
    if (ready < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (ready == 0)
        return -EAGAIN;
    return (watched.revents & POLLNVAL) != 0 ? -EBADF : 0;
}

/* Writes a record to its end, however long the reader takes for it once it is begun. */
static int
write_whole(const struct destination *destination, const char *at, size_t left)
{
    int patience_ms = PATIENCE_MS;
    while (left > 0) {
        int result = wait_for_room(destination, patience_ms);
        if (result == -EAGAIN && patience_ms < 0)
            continue;
        if (result != 0)
            return result;
        ssize_t written = write(destination->fd, at, left < PIPE_BUF ? left : PIPE_BUF);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (written > 0) {
            at += written;
            left -= (size_t)written;
            patience_ms = -1;
        }
    }
    return 0;
}

static size_t
stream_deliver(struct destination *destination, struct iovec *records, size_t count, int *error_r)
{
    size_t delivered = 0;
    *error_r = 0;
    while (delivered < count && *error_r == 0) {
        /* As many short records as one write surely takes, or one long record. */
        size_t bytes = 0;
        size_t batch = 0;
        while (delivered + batch < count && batch < IOV_MAX &&
               bytes + records[delivered + batch].iov_len <= PIPE_BUF)
            bytes += records[delivered + batch++].iov_len;
        if (batch == 0) {
            *error_r =
                write_whole(destination, records[delivered].iov_base, records[delivered].iov_len);
            delivered += *error_r == 0 ? 1 : 0;
            continue;
        }
        *error_r = wait_for_room(destination, PATIENCE_MS);
        if (*error_r != 0)
            break;
        ssize_t written = writev(destination->fd, records + delivered, (int)batch);
        if (written == (ssize_t)bytes)
            delivered += batch;
        else if (written >= 0)
            *error_r = -EAGAIN; /* not a pipe, and full: what is cut off is written again, whole */
        else if (errno != EINTR)
            *error_r = -errno;
    }
    return delivered;
}

static int
stream_undo(struct destination *destination, const struct ledger_mark *mark)
{
    (void)destination;
    (void)mark;
    return 0;
}

static void
stream_rest(struct destination *destination)
{
    (void)destination;
}

const struct destination_kind stream_destination = {
    .open = stream_open,
    .prepare = stream_prepare,
    .deliver = stream_deliver,
    .undo = stream_undo,
    .rest = stream_rest,
    .close = stream_close,
};
