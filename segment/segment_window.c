/* segment_window.c -- reads a piece of a file into memory that is used again and again. Runs
 * wherever segments are read. */
#include "segment/segment_window.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int
make_room(struct segment_window *window, size_t bytes)
{
    if (bytes <= window->capacity)
        return 0;
    segment_window_clear(window); /* what is in it is about to be overwritten */
    window->bytes = malloc(bytes);
    if (window->bytes == NULL)
        return -ENOMEM;
    window->capacity = bytes;
    return 0;
}

int
segment_window_fill(struct segment_window *window, const void *owner, int fd, uint64_t offset,
                    size_t least, size_t most)
{
    window->owner = NULL;
    int result = make_room(window, most);
    if (result != 0)
        return result;
    window->length = 0;
    /* The kernel gives what stands before a page that it cannot read, and says why with the next
     * call: what is there is used. */
    while (window->length < most) {
        ssize_t got = pread(fd, window->bytes + window->length, most - window->length,
                            (off_t)(offset + window->length));
        if (got <= 0) {
            result = got < 0 ? -errno : -ENODATA;
            break;
        }
        window->length += (size_t)got;
    }
    if (window->length < least)
        return result;
    window->offset = offset;
    window->owner = owner;
    return 0;
}

void
segment_window_clear(struct segment_window *window)
{
    free(window->bytes);
    *window = (struct segment_window){0};
}
