/* record_writer.c -- makes one piece of the records that lie one behind the other in memory, as
 * they do in the text pool. Runs in the collector. */
#include "collector/destination/record_writer.h"

#include "base/invariant.h"

/* A call writes so many pieces of memory at most, and not many more bytes: given 4 MiB at once, the
 * page cache took half as long again for each. */
#define PIECES_MAX 256
#define WRITE_BYTES (1U << 20)

ssize_t
record_writer_write(int fd, const struct iovec *records, size_t count, size_t *tried_r)
{
    struct iovec pieces[PIECES_MAX];
    int last = 0;
    size_t tried = 1;
    INVARIANT(count > 0);
    size_t bytes = records[0].iov_len;
    pieces[0] = records[0];
    for (; tried < count && bytes < WRITE_BYTES; tried++) {
        const struct iovec *record = &records[tried];
        if ((const char *)pieces[last].iov_base + pieces[last].iov_len == record->iov_base)
            pieces[last].iov_len += record->iov_len;
        else if (last + 1 < PIECES_MAX)
            pieces[++last] = *record;
        else
            break;
        bytes += record->iov_len;
    }
    *tried_r = tried;
    return writev(fd, pieces, last + 1);
}

size_t
record_writer_count_whole(const struct iovec *records, size_t count, size_t written,
                          size_t *bytes_r)
{
    size_t whole = 0;
    *bytes_r = 0;
    while (whole < count && *bytes_r + records[whole].iov_len <= written)
        *bytes_r += records[whole++].iov_len;
    return whole;
}
