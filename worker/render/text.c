/* text.c -- the buffer of a call's text: reserving, emptying, numbers.
 *
 * Runs in a worker. Numbers are written by hand: they are most of what a metric's text is made of,
 * and snprintf costs ten times as much.
 */
#include "worker/render/text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/invariant.h"
#include "worker/render/digits.h"

static size_t
round_to_pages(size_t size)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page_bytes - 1) / page_bytes * page_bytes;
}

int
text_open(struct text **out, size_t limit_bytes, size_t keep_bytes)
{
    INVARIANT(limit_bytes > 0 && limit_bytes <= PTRDIFF_MAX / 2);
    struct text *text = calloc(1, sizeof(*text));
    if (text == NULL)
        return -ENOMEM;
    text->limit_bytes = limit_bytes;
    text->mapped_bytes = round_to_pages(limit_bytes);
    text->keep_bytes = round_to_pages(keep_bytes < limit_bytes ? keep_bytes : limit_bytes);
    void *base = mmap(NULL, text->mapped_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        int error = errno;
        free(text);
        return -error;
    }
    text->base = base;
    text->at = base;
    text_reset(text);
    *out = text;
    return 0;
}

void
text_close(struct text **tp)
{
    struct text *text = *tp;
    if (text == NULL)
        return;
    (void)munmap(text->base, text->mapped_bytes);
    free(text);
    *tp = NULL;
}

void
text_reset(struct text *text)
{
    size_t used_bytes = (size_t)(text->at - text->base);
    if (used_bytes > text->keep_bytes) {
        /* A failure would only cost memory that stays with the process, within the limit. */
        (void)madvise(text->base + text->keep_bytes, round_to_pages(used_bytes) - text->keep_bytes,
                      MADV_DONTNEED);
    }
    text->at = text->base;
    text->end = text->base + text->limit_bytes;
    text->overflowed = false;
}

struct bytes
text_bytes(const struct text *text)
{
    INVARIANT(!text->overflowed);
    return (struct bytes){.data = text->base, .size = (size_t)(text->at - text->base)};
}

static size_t
count_digits(uint64_t number)
{
    size_t count = 1;
    for (; number >= 10000; number /= 10000)
        count += 4;
    return count + (number >= 10) + (number >= 100) + (number >= 1000);
}

/* Writes the digits so that they end before `end`, two at a time. */
static void
write_digits(char *end, uint64_t number)
{
    for (; number >= 100; number /= 100)
        digits_put_two(end -= 2, number % 100);
    if (number >= 10)
        digits_put_two(end - 2, number);
    else
        end[-1] = (char)('0' + number);
}

void
text_add_u64(struct text *text, uint64_t number)
{
    size_t count = count_digits(number);
    char *place = text_place(text, count);
    if (place != NULL)
        write_digits(place + count, number);
}

void
text_add_i64(struct text *text, int64_t number)
{
    if (number < 0)
        text_add_byte(text, '-');
    text_add_u64(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}
