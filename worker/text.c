/* text.c -- the buffer of a call's text: reserving, emptying, numbers.
 *
 * Runs in a worker. Numbers are written by hand: they are most of what a metric's text is made of,
 * and snprintf costs ten times as much.
 */
#include "worker/text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/invariant.h"

#define U64_DIGITS_MAX 20

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
    if (text->used_bytes > text->keep_bytes) {
        /* A failure would only cost memory that stays with the process, within the limit. */
        (void)madvise(text->base + text->keep_bytes,
                      round_to_pages(text->used_bytes) - text->keep_bytes, MADV_DONTNEED);
    }
    text->used_bytes = 0;
    text->overflowed = false;
}

struct bytes
text_bytes(const struct text *text)
{
    INVARIANT(!text->overflowed);
    return (struct bytes){.data = text->base, .size = text->used_bytes};
}

/* Writes the digits so that they end before `end`, two at a time; returns where they begin. */
static char *
write_digits(char *end, uint64_t number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char *at = end;
    while (number >= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(at, pairs + number * 2, 2);
    } else {
        *--at = (char)('0' + number);
    }
    return at;
}

void
text_add_u64(struct text *text, uint64_t number)
{
    char digits[U64_DIGITS_MAX];
    char *end = digits + sizeof(digits);
    const char *start = write_digits(end, number);
    text_add_bytes(text, start, (size_t)(end - start));
}

void
text_add_i64(struct text *text, int64_t number)
{
    char digits[1 + U64_DIGITS_MAX];
    char *end = digits + sizeof(digits);
    char *start = write_digits(end, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    if (number < 0)
        *--start = '-';
    text_add_bytes(text, start, (size_t)(end - start));
}
