/* text.h -- a buffer that a call's text is written into, with a hard limit.
 *
 * Address space for the whole limit is reserved once, a page becomes memory when it is first
 * touched: appending never moves what is there. What does not fit sets the buffer's overflow, which
 * stays until the next reset and makes every later append do nothing; so the writers check nothing,
 * and the caller asks once, at the end. Runs in a worker, one buffer to a thread. Nothing here
 * outlives the process.
 */
#ifndef MYGRPCADAPTER_WORKER_RENDER_TEXT_H
#define MYGRPCADAPTER_WORKER_RENDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/* The fields are for the functions of this header only. */
struct text {
    /* Where the next byte goes, and where the room ends: at `at` after an overflow, so that
     * nothing fits any more. */
    char *at;
    char *end;

    char *base;
    size_t limit_bytes;

    /* Both in whole pages. */
    size_t mapped_bytes;
    size_t keep_bytes;

    bool overflowed;
};

/* Reserves a buffer for at most `limit_bytes` of text, from which text_reset() keeps at most
 * `keep_bytes` (rounded up to pages) of memory. Returns 0 or a negative errno. The caller owns it.
 */
int text_open(struct text **out, size_t limit_bytes, size_t keep_bytes);

/* Gives everything back; NULL-safe; sets *tp to NULL. */
void text_close(struct text **tp);

/* Empties the buffer, and returns to the system what is above `keep_bytes`. */
void text_reset(struct text *text);

/* True if something did not fit since the last reset: what text_bytes() would show is then not the
 * whole text. */
static inline bool
text_overflowed(const struct text *text)
{
    return text->overflowed;
}

/* The limit that the buffer was made with. */
static inline size_t
text_limit_bytes(const struct text *text)
{
    return text->limit_bytes;
}

/* What has been appended since the last reset; valid until the next append or reset. Not to be
 * called after an overflow. */
struct bytes text_bytes(const struct text *text);

/* Marks the buffer as overflowed. */
static inline void
text_overflow(struct text *text)
{
    text->overflowed = true;
    text->end = text->at;
}

/* Where `size` more bytes go, to be written by the caller at once; NULL if they do not fit. */
static inline char *
text_place(struct text *text, size_t size)
{
    char *place = text->at;
    if (size > (size_t)(text->end - place)) {
        text_overflow(text);
        return NULL;
    }
    text->at = place + size;
    return place;
}

/* Copies `size` bytes in two pieces of `piece` bytes, which may overlap: the first and the last
 * of them. The compiler knows `piece` and makes a few instructions of it. */
static inline void
text_copy_ends(char *to, const char *from, size_t size, size_t piece)
{
    memcpy(to, from, piece);
    memcpy(to + size - piece, from + size - piece, piece);
}

/* Copies what is mostly short, without a call. */
static inline void
text_copy(char *to, const char *from, size_t size)
{
    if (size > 64)
        memcpy(to, from, size);
    else if (size >= 32)
        text_copy_ends(to, from, size, 32);
    else if (size >= 16)
        text_copy_ends(to, from, size, 16);
    else if (size >= 8)
        text_copy_ends(to, from, size, 8);
    else if (size >= 4)
        text_copy_ends(to, from, size, 4);
    else
        for (size_t i = 0; i < size; i++)
            to[i] = from[i];
}

/* Appends `size` bytes. */
static inline void
text_add_bytes(struct text *text, const void *data, size_t size)
{
    char *place = text_place(text, size);
    if (place != NULL && size > 0)
        memcpy(place, data, size);
}

/* The same for what a client sent: its size is mostly small, and the compiler does not know it. */
static inline void
text_add(struct text *text, struct bytes bytes)
{
    char *place = text_place(text, bytes.size);
    if (place != NULL)
        text_copy(place, bytes.data, bytes.size);
}

static inline void
text_add_byte(struct text *text, char byte)
{
    char *place = text_place(text, 1);
    if (place != NULL)
        *place = byte;
}

/* Appends a string literal; the size is known to the compiler. */
#define text_add_literal(text, literal) text_add_bytes((text), "" literal, sizeof(literal) - 1)

/* Appends a number in decimal. */
void text_add_u64(struct text *text, uint64_t number);
void text_add_i64(struct text *text, int64_t number);

#endif
