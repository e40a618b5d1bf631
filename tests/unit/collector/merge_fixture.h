/* merge_fixture.h -- an output.root, a segment directory and a collector's merge over them, for the
 * tests of what it does with whole segments. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_COLLECTOR_MERGE_FIXTURE_H
#define MYGRPCADAPTER_TESTS_UNIT_COLLECTOR_MERGE_FIXTURE_H

#include "tests/unit/scratch.h"

#include "collector/merge.h"
#include "collector/output/ledger.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

struct merge_fixture {
    struct scratch root;
    struct scratch segments; /* a directory of its own, outside the root */
    struct settings settings;
    struct heritage heritage;
    struct merge *merge;
    uint64_t now_ms;
};

static inline int
merge_setup(void **state)
{
    struct merge_fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    scratch_open(&f->segments);
    f->settings.output_mode = 0640;
    f->settings.output_root = f->root.path;
    f->heritage.settings = &f->settings;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, 1), 0);
    f->now_ms = 1000;
    *state = f;
    return 0;
}

static inline int
merge_teardown(void **state)
{
    struct merge_fixture *f = *state;
    merge_close(&f->merge);
    scoreboard_close(&f->heritage.scoreboard);
    scratch_close(&f->root);
    scratch_close(&f->segments);
    free(f);
    return 0;
}

static inline struct segment_writer *
begin(struct merge_fixture *f, uint32_t slot, uint64_t number, uint64_t first_sequence)
{
    struct segment_writer *writer = NULL;
    struct segment_identity identity = {slot, 1, number};
    assert_int_equal(
        segment_writer_create(&writer, f->segments.fd, &identity, first_sequence, 65536, false), 0);
    return writer;
}

static inline void
append(struct segment_writer *writer, const char *output, const char *text)
{
    struct segment_record record = {
        SEGMENT_FILE, {output, strlen(output)}, {text, strlen(text)}, 0};
    segment_writer_append(writer, &record);
}

static inline void
start(struct merge_fixture *f)
{
    merge_close(&f->merge);
    assert_int_equal(merge_open(&f->merge, &f->heritage, NULL), 0);
}

/* Passes until one finds nothing, a little later each time. */
static inline void
merge_all(struct merge_fixture *f)
{
    int64_t found = 1;
    merge_look_again(f->merge);
    while (found > 0) {
        found = merge_pass(f->merge, f->now_ms);
        f->now_ms += 10;
    }
    assert_int_equal(found, 0);
}

static inline size_t
count_entries(const struct merge_fixture *f)
{
    struct segment_entry *entries = NULL;
    size_t count = 0;
    assert_int_equal(segment_store_list(f->segments.fd, &entries, &count), 0);
    free(entries);
    return count;
}

#endif
