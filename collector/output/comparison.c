/* comparison.c -- finds the records of a batch in the bytes behind it. Runs in the collector, at
 * recovery; pure, it sees no file. */
#include "collector/output/comparison.h"

#include <string.h>

/* How many bytes two runs have in common at their beginning. */
static size_t
common_prefix(const char *a, const char *b, size_t size)
{
    size_t same = 0;
    while (same < size && a[same] == b[same])
        same++;
    return same;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Where the tail first lacks the batch's byte and has a zero instead; SIZE_MAX if nothing is
 * missing so, or if any byte is neither. */
static size_t
find_hole(const struct iovec *records, size_t count, struct bytes tail)
{
    size_t at = 0;
    size_t hole = SIZE_MAX;
    for (size_t i = 0; i < count && at < tail.size; i++) {
        const char *record = records[i].iov_base;
        size_t size = smaller(records[i].iov_len, tail.size - at);
        for (size_t j = 0; j < size; j++, at++) {
            if (tail.data[at] == record[j])
                continue;
            if (tail.data[at] != '\0')
                return SIZE_MAX;
            if (hole == SIZE_MAX)
                hole = at;
        }
    }
    return hole;
}

/* The longest proper prefix of a record that ends the tail, not beginning before `from`. */
static size_t
find_torn(const struct iovec *record, struct bytes tail, size_t from)
{
    const char *text = record->iov_base;
    if (record->iov_len == 0)
        return 0;
    if (tail.size - from >= record->iov_len)
        from = tail.size - record->iov_len + 1;
    while (from < tail.size) {
        const char *found = memchr(tail.data + from, text[0], tail.size - from);
        if (found == NULL)
            return 0;
        size_t size = tail.size - (size_t)(found - tail.data);
        if (memcmp(found, text, size) == 0)
            return size;
        from = tail.size - size + 1;
    }
    return 0;
}

/* Where a whole record stands next in the tail; SIZE_MAX if nowhere. */
static size_t
find_whole(const struct iovec *record, struct bytes tail, size_t from)
{
    size_t size = tail.size - from;
    if (size >= record->iov_len &&
        common_prefix(tail.data + from, record->iov_base, record->iov_len) == record->iov_len)
        return from;
    const char *found = memmem(tail.data + from, size, record->iov_base, record->iov_len);
    return found == NULL ? SIZE_MAX : (size_t)(found - tail.data);
}

struct comparison
comparison_make(const struct iovec *records, size_t count, struct bytes tail)
{
    struct comparison made = {.hole = SIZE_MAX};
    if (tail.size == 0)
        return made;
    made.hole = find_hole(records, count, tail);
    if (made.hole != SIZE_MAX)
        return made;
    size_t at = 0;
    while (made.records < count) {
        size_t found = find_whole(&records[made.records], tail, at);
        if (found == SIZE_MAX)
            break;
        made.strangers = made.strangers || found != at;
        at = found + records[made.records].iov_len;
        made.records++;
    }
    if (made.records < count)
        made.torn_bytes = find_torn(&records[made.records], tail, at);
    if (tail.size - at != made.torn_bytes)
        made.strangers = true;
    return made;
}
