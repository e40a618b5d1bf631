/* recovery_fixture.h -- what a collector that died in a batch leaves: a ledger that tells of the
 * batch, and any part of it in the output. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_COLLECTOR_OUTPUT_RECOVERY_FIXTURE_H
#define MYGRPCADAPTER_TESTS_UNIT_COLLECTOR_OUTPUT_RECOVERY_FIXTURE_H

#include "tests/unit/collector/merge_fixture.h"

#include "segment/segment_reader.h"

/* A segment with these texts for one output, sealed. */
static inline void
put_segment(struct merge_fixture *f, uint32_t slot, const char *output, size_t count,
            const char *const texts[])
{
    struct segment_writer *writer = begin(f, slot, 0, 0);
    for (size_t i = 0; i < count; i++)
        append(writer, output, texts[i]);
    segment_writer_seal(&writer);
}

static inline void
segment_name(char name[static SEGMENT_NAME_BYTES_MAX], uint32_t slot)
{
    const struct segment_identity identity = {slot, 1, 0};
    segment_name_format(name, &identity, SEGMENT_STATE_SEALED);
}

/* Records `from` to `end` of the sealed segment of that slot, as a ledger tells of them. */
static inline struct ledger_position
run_of(const struct merge_fixture *f, uint32_t slot, size_t from, size_t end)
{
    const struct segment_entry entry = {{slot, 1, 0}, SEGMENT_STATE_SEALED};
    struct segment_window window = {0};
    struct segment_reader *reader = NULL;
    struct segment_record record;
    struct segment_facts facts;
    const char *reason;
    int fd = segment_store_open(f->segments.fd, &entry);
    assert_int_equal(segment_facts_read(&facts, fd, &entry.identity, &reason), 0);
    assert_int_equal(segment_reader_open(&reader, fd, &facts, &window), 0);
    struct ledger_position run = {.id = facts.id, .identity = entry.identity};
    for (size_t i = 0; i <= end; i++) {
        if (i == from)
            run.before = segment_reader_position(reader).offset;
        run.after = segment_reader_position(reader).offset;
        if (i < end)
            assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_RECORD);
    }
    segment_reader_close(&reader);
    segment_window_clear(&window);
    return run;
}

/* Where the file of that name stands, before a batch. */
static inline struct ledger_mark
mark_of(const struct merge_fixture *f, const char *file, uint64_t offset, uint64_t length)
{
    struct stat status;
    assert_int_equal(fstatat(f->root.fd, file, &status, 0), 0);
    return (struct ledger_mark){status.st_dev, status.st_ino, offset, length};
}

/* Leaves the ledger of the output of that name. */
static inline void
leave_ledger(const struct merge_fixture *f, const char *name, struct ledger_mark mark,
             const struct ledger_position *runs, size_t count)
{
    struct ledger *ledger = NULL;
    bool created = false;
    assert_int_equal(ledger_open(&ledger, f->segments.fd, SEGMENT_FILE,
                                 (struct bytes){name, strlen(name)}, false, &created),
                     0);
    assert_true(created);
    assert_int_equal(ledger_write(ledger, &mark, runs, count), 0);
    ledger_close(&ledger);
}

/* The same for a batch of one run. */
static inline void
leave_intent(const struct merge_fixture *f, const char *name, const char *file, uint64_t offset,
             uint64_t length, struct ledger_position run)
{
    leave_ledger(f, name, mark_of(f, file, offset, length), &run, 1);
}

/* Forgets everything but the output.root: the next round begins anew. */
static inline void
forget_segments(struct merge_fixture *f)
{
    merge_close(&f->merge);
    scratch_close(&f->segments);
    scratch_open(&f->segments);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
}

#endif
