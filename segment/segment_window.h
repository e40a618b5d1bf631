/* segment_window.h -- the piece of a segment's file that a reader has before it, in memory of its
 * own.
 *
 * A file is read, not mapped: a page that the disk cannot give, or that somebody has cut off, is
 * then an error of a call and not the end of the process. Readers that take turns may share a
 * window; each finds it filled by another and fills it anew. Used by whoever uses segment_reader.h.
 */
#ifndef MYGRPCADAPTER_SEGMENT_WINDOW_H
#define MYGRPCADAPTER_SEGMENT_WINDOW_H

#include <stddef.h>
#include <stdint.h>

/* Zero it before use; the fields are for segment_window.c and segment_reader.c. */
struct segment_window {
    const void *owner; /* whose file it shows; NULL = nobody's */
    char *bytes;
    size_t capacity;
    uint64_t offset; /* in the file, of the first byte */
    size_t length;
};

/* Reads from `offset` on: `least` bytes at least, `most` at most, as far as the file goes. Returns
 * 0 with the window filled, -ENODATA if the file ends before `least` bytes, or another negative
 * errno (-EIO, -ENOMEM); then it shows nobody's file. `owner` is who may use it now. */
int segment_window_fill(struct segment_window *window, const void *owner, int fd, uint64_t offset,
                        size_t least, size_t most);

/* Gives its memory back; it can be filled again. */
void segment_window_clear(struct segment_window *window);

#endif
