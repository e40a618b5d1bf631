/* comparison.c -- finds the records of a batch in the bytes behind it. Runs in the collector, at
 * recovery; pure, it sees no file. */
#include "collector/destination/comparison.h"

#include <string.h>

/* How many bytes are looked through at most. Of a batch that has many records, among much that
 * others wrote, those that are not found by then count as missing. */
#define SEARCH_BYTES_MAX (UINT64_C(2) << 30)

/* A comparison under way. */
struct search {
    const struct iovec *records;
    size_t count;
    struct bytes tail;
    size_t *places;
    uint64_t left; /* of SEARCH_BYTES_MAX */
    /* The bytes of the first missing record that stand directly behind those before it: no other
     * record is looked for in them. */
    size_t torn_at;
    size_t torn_bytes;
};

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whether the tail, as far as the batch goes, is the batch from its first byte, but for zeros that
 * stand where others should. */
static bool
has_holes(const struct iovec *records, size_t count, struct bytes tail)
{
    size_t at = 0;
    bool holes = false;
    for (size_t i = 0; i < count && at < tail.size; i++) {
        const char *record = records[i].iov_base;
        size_t size = smaller(records[i].iov_len, tail.size - at);
        for (size_t j = 0; j < size; j++, at++) {
            if (tail.data[at] == record[j])
                continue;
            if (tail.data[at] != '\0')
                return false;
            holes = true;
        }
    }
    return holes;
}

static bool
stands_at(const struct search *search, size_t i, size_t at)
{
    const struct iovec *record = &search->records[i];
    return search->tail.size - at >= record->iov_len &&
           memcmp(search->tail.data + at, record->iov_base, record->iov_len) == 0;
}

/* Where a record stands next; COMPARISON_MISSING if nowhere. */
static size_t
find_from(struct search *search, size_t i, size_t from)
{
    const struct iovec *record = &search->records[i];
    size_t size = search->tail.size - from;
    if (size < record->iov_len || search->left < size)
        return COMPARISON_MISSING;
    const char *at = search->tail.data + from;
    const char *found = memmem(at, size, record->iov_base, record->iov_len);
    search->left -= found == NULL ? size : (size_t)(found - at);
    return found == NULL ? COMPARISON_MISSING : (size_t)(found - search->tail.data);
}

/* The end of what has been found and overlaps `size` bytes at `at`; 0 if nothing does. */
static size_t
overlapping_end(const struct search *search, size_t at, size_t size)
{
    if (search->torn_bytes > 0 && search->torn_at < at + size &&
        at < search->torn_at + search->torn_bytes)
        return search->torn_at + search->torn_bytes;
    for (size_t i = 0; i < search->count; i++) {
        size_t place = search->places[i];
        if (place != COMPARISON_MISSING && place < at + size &&
            at < place + search->records[i].iov_len)
            return place + search->records[i].iov_len;
    }
    return 0;
}

/* Whether what stands at a place may be a part of the first missing record, torn, and not the
 * record that is looked for: the one holds the text of the other. */
static bool
may_be_torn(const struct search *search, size_t missing, size_t i, size_t at)
{
    const struct iovec *torn = &search->records[missing];
    const struct iovec *record = &search->records[i];
    const char *from = torn->iov_base;
    size_t left = torn->iov_len;
    for (;;) {
        const char *found = memmem(from, left, record->iov_base, record->iov_len);
        if (found == NULL)
            return false;
        size_t before = (size_t)(found - (const char *)torn->iov_base);
        if (before <= at && memcmp(search->tail.data + at - before, torn->iov_base, before) == 0)
            return true;
        left -= (size_t)(found - from) + 1;
        from = found + 1;
    }
}

/* Finds a record anywhere, outside of what has been found. `missing` is the first that is
 * missing. */
static size_t
find_free(struct search *search, size_t missing, size_t i)
{
    size_t from = 0;
    for (;;) {
        size_t at = find_from(search, i, from);
        if (at == COMPARISON_MISSING)
            return at;
        size_t end = overlapping_end(search, at, search->records[i].iov_len);
        if (end == 0 && (i == missing || !may_be_torn(search, missing, i, at)))
            return at;
        from = end == 0 ? at + 1 : end;
    }
}

/* Finds the records in their order, as they are appended, perhaps with strangers between.
 * Returns the first that is not there, and in *end_r where the one before it ends. */
static size_t
find_prefix(struct search *search, size_t *end_r)
{
    size_t at = 0;
    size_t i = 0;
    for (; i < search->count; i++) {
        size_t place = stands_at(search, i, at) ? at : find_from(search, i, at);
        if (place == COMPARISON_MISSING)
            break;
        search->places[i] = place;
        at = place + search->records[i].iov_len;
    }
    *end_r = at;
    return i;
}

/* How much of the first missing record stands directly behind the one before it. */
static void
find_torn(struct search *search, size_t i, size_t at)
{
    const char *record = search->records[i].iov_base;
    size_t size = smaller(search->records[i].iov_len, search->tail.size - at);
    search->torn_at = at;
    while (search->torn_bytes < size &&
           search->tail.data[at + search->torn_bytes] == record[search->torn_bytes])
        search->torn_bytes++;
}

struct comparison
comparison_make(const struct iovec *records, size_t count, struct bytes tail, size_t *places)
{
    struct comparison made = {.has_holes = has_holes(records, count, tail)};
    struct search search = {.records = records,
                            .count = count,
                            .tail = tail,
                            .places = places,
                            .left = SEARCH_BYTES_MAX};
    size_t found_bytes = 0;
    size_t end = 0;
    if (made.has_holes)
        return made;
    for (size_t i = 0; i < count; i++)
        places[i] = COMPARISON_MISSING;
    size_t missing = find_prefix(&search, &end);
    if (missing < count && end < tail.size)
        find_torn(&search, missing, end);
    for (size_t i = 0; i < count; i++) {
        if (i >= missing && search.torn_at + search.torn_bytes < tail.size)
            places[i] = find_free(&search, missing, i);
        if (places[i] == COMPARISON_MISSING)
            made.missing++;
        else
            found_bytes += records[i].iov_len;
    }
    made.first_missing = missing;
    while (made.first_missing < count && places[made.first_missing] != COMPARISON_MISSING)
        made.first_missing++;
    if (search.torn_at + search.torn_bytes == tail.size && made.missing > 0)
        made.torn_bytes = search.torn_bytes;
    made.strangers = found_bytes + made.torn_bytes != tail.size;
    return made;
}
