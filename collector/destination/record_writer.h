/* record_writer.h -- writes records to a file by few large calls. Runs in the collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_RECORD_WRITER_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_RECORD_WRITER_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Writes records, of which there is at least one, by one call: as many as suit it. Returns what
 * writev() does; *tried_r is how many of the records it was given. */
ssize_t record_writer_write(int fd, const struct iovec *records, size_t count, size_t *tried_r);

/* How many records the first `written` bytes hold whole, and in *bytes_r the bytes of those. */
size_t record_writer_count_whole(const struct iovec *records, size_t count, size_t written,
                                 size_t *bytes_r);

#endif
