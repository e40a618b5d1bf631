/* ledger_fixture.h -- numbered writes to a ledger, and what must stand on the disk after them. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_COLLECTOR_OUTPUT_LEDGER_FIXTURE_H
#define MYGRPCADAPTER_TESTS_UNIT_COLLECTOR_OUTPUT_LEDGER_FIXTURE_H

#include "tests/unit/scratch.h"

#include "collector/output/ledger.h"

#define POSITIONS_MAX 8000U
#define HEADER_BYTES 64U
#define CHECKSUM_BYTES 8U

static const struct bytes small_name = {"logs/a", 6};

/* Write `n` of a test: everything in it follows from its number and its count of positions. */
static inline struct ledger_mark
mark_of(uint64_t n)
{
    return (struct ledger_mark){n * 3, ~n, n << 40 | n, n * n};
}

static inline const struct ledger_position *
positions_of(uint64_t n, size_t count)
{
    static struct ledger_position positions[POSITIONS_MAX];
    assert_true(count <= POSITIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        memset(&positions[i].id, (int)(n + i) & 0xff, sizeof(positions[i].id));
        le64_put(positions[i].id.bytes, n + i * 5);
        positions[i].identity = (struct segment_identity){(uint32_t)n + 1, n << 20 | i, ~n};
        positions[i].before = ~(n * 1000 + i) - i % 3;
        positions[i].after = ~(n * 1000 + i);
    }
    return positions;
}

static inline int
write_numbered(struct ledger *ledger, uint64_t n, size_t count)
{
    struct ledger_mark mark = mark_of(n);
    return ledger_write(ledger, &mark, positions_of(n, count), count);
}

static inline bool
is_position(const struct ledger_position *a, const struct ledger_position *b)
{
    return memcmp(&a->id, &b->id, sizeof(a->id)) == 0 && a->identity.slot == b->identity.slot &&
           a->identity.incarnation == b->identity.incarnation &&
           a->identity.number == b->identity.number && a->before == b->before &&
           a->after == b->after;
}

static inline bool
is_mark(const struct ledger_mark *a, const struct ledger_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->offset == b->offset &&
           a->length == b->length;
}

/* Whether the state is exactly that of write `n`; write 0 is a ledger just made. */
static inline bool
is_numbered(const struct ledger_state *said, uint64_t n, size_t count)
{
    static const struct ledger_mark nothing;
    struct ledger_mark mark = n == 0 ? nothing : mark_of(n);
    const struct ledger_position *positions = positions_of(n, count);
    if (!is_mark(&said->mark, &mark) || said->position_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_position(&said->positions[i], &positions[i]))
            return false;
    }
    return true;
}

static inline bool
is_of(const struct ledger_state *said, enum segment_kind kind, struct bytes name)
{
    return said->kind == kind && bytes_equal(said->name, name);
}

static inline struct ledger *
open_ledger(const struct scratch *scratch, struct bytes name)
{
    struct ledger *ledger = NULL;
    assert_int_equal(ledger_open(&ledger, scratch->fd, SEGMENT_FILE, name, false, &(bool){false}),
                     0);
    assert_non_null(ledger);
    return ledger;
}

static inline const char *
file_name_of(struct bytes name)
{
    static char file_name[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(file_name, SEGMENT_FILE, name);
    return file_name;
}

/* What the ledger of an output says to who opens it now: expects write `n`. */
static inline void
expect_on_disk(const struct scratch *scratch, struct bytes name, uint64_t n, size_t count)
{
    struct ledger *ledger = NULL;
    struct ledger_state said;
    assert_int_equal(ledger_open_existing(&ledger, scratch->fd, file_name_of(name), &said), 0);
    assert_true(is_of(&said, SEGMENT_FILE, name));
    assert_true(is_numbered(&said, n, count));
    ledger_close(&ledger);
}

static inline size_t
small_record_bytes(size_t count)
{
    return HEADER_BYTES + 8 + count * sizeof(struct ledger_position_on_disk) + CHECKSUM_BYTES;
}

#endif
