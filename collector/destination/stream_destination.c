/* stream_destination.c -- the adapter's standard output, inherited from the master. Runs in the
 * collector.
 *
 * Nobody can look at what a stream was given: after the collector died in a batch, all of it is
 * written again (P1: at least once). Standard output may be a pipe whose reader is slow, and the
 * collector must not wait for it while other outputs want to be written: nothing is written before
 * poll(2) says there is room, and then no more than a pipe with room surely takes. A record that
 * stops in its middle goes on from there.
 */
#include "collector/destination/destination.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/outlet.h"

#define PATIENCE_MS 10

struct destination {
    struct outlet outlet;
    /* Of the batch under way: records that are out, and bytes of the next one. */
    size_t done;
    size_t begun_bytes;
};

static int
stream_open(struct destination **out, const struct heritage *heritage, const char *name)
{
    (void)heritage;
    (void)name;
    struct destination *destination = calloc(1, sizeof(*destination));
    if (destination == NULL)
        return -ENOMEM;
    outlet_open(&destination->outlet, STDOUT_FILENO);
    *out = destination;
    return 0;
}

static void
stream_close(struct destination **dp)
{
    if (*dp == NULL)
        return;
    outlet_close(&(*dp)->outlet);
    free(*dp);
    *dp = NULL;
}

/* 0 once the stream takes bytes; -EAGAIN if it does not within the patience. */
static int
wait_for_room(const struct destination *destination)
{
    struct pollfd watched = {.fd = destination->outlet.fd, .events = POLLOUT};
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
        const struct iovec part = {(char *)record->iov_base + *begun,
                                   left < PIPE_BUF ? left : PIPE_BUF};
        ssize_t written = outlet_write(&destination->outlet, &part, 1);
        if (written < 0 && written != -EINTR)
            return (int)written;
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

/* Writes several short records at once. A terminal or a file may take less than all. */
static int
write_short(struct destination *destination, const struct iovec *records, size_t count)
{
    int result = wait_for_room(destination);
    if (result != 0)
        return result;
    ssize_t written = outlet_write(&destination->outlet, records, count);
    if (written < 0)
        return written == -EINTR ? 0 : (int)written;
    size_t left = (size_t)written;
    for (; count > 0 && left >= records->iov_len; records++, count--, destination->done++)
        left -= records->iov_len;
    destination->begun_bytes = left;
    return 0;
}

/* Goes on with a batch from where it is. */
static int
go_on(struct destination *destination, const struct iovec *records, size_t count, bool *moved_r)
{
    int result = 0;
    size_t done = destination->done;
    size_t begun_bytes = destination->begun_bytes;
    while (destination->done < count && result == 0) {
        const struct iovec *next = records + destination->done;
        size_t fitting =
            destination->begun_bytes > 0 ? 0 : count_short(next, count - destination->done);
        if (fitting > 1) {
            result = write_short(destination, next, fitting);
            continue;
        }
        result = write_record(destination, next, &destination->begun_bytes);
        destination->done += result == 0 ? 1 : 0;
    }
    *moved_r = destination->done != done || destination->begun_bytes != begun_bytes;
    return result;
}

static int
stream_deliver(struct destination *destination, const struct iovec *records, size_t count,
               bool *moved_r)
{
    destination->done = 0;
    destination->begun_bytes = 0;
    return go_on(destination, records, count, moved_r);
}

/* What this process has written of the batch is known; what an earlier one has is not. */
static int
stream_complete(struct destination *destination, const struct ledger_mark *mark,
                const struct iovec *records, size_t count, bool again, bool *moved_r,
                size_t *standing_r)
{
    *standing_r = destination->done;
    (void)mark;
    (void)again;
    return go_on(destination, records, count, moved_r);
}

/* What an earlier process has written is not known, and comes again. */
static int
stream_look(struct destination *destination, const struct ledger_mark *mark,
            const struct iovec *records, size_t count, bool again, bool *stands_r)
{
    (void)mark;
    (void)again;
    (void)records;
    for (size_t i = 0; i < count; i++)
        stands_r[i] = i < destination->done;
    return 0;
}

static ssize_t
stream_peek(struct destination *destination, const struct ledger_mark *mark, char *bytes)
{
    (void)destination;
    (void)mark;
    (void)bytes;
    return 0;
}

static int
stream_sync(struct destination *destination)
{
    (void)destination;
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
    .complete = stream_complete,
    .look = stream_look,
    .peek = stream_peek,
    .sync = stream_sync,
    .identify = stream_identify,
    .release = stream_release,
    .close = stream_close,
};
