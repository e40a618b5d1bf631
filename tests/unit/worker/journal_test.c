/* journal_test.c -- what a worker's journal took is all there, in order, over every rotation and
 * refusal; it keeps to its limit, and wakes the collector when it is to be woken. */
#include "tests/unit/scratch.h"

#include <limits.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_reader.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"
#include "worker/call_refusal.h"
#include "worker/journal.h"

#define SLOT 3U
#define INCARNATION 17U
#define SIZE_BYTES 8192
#define RETRY_MS 100U
#define ACCEPTED REFUSAL_CAUSE_COUNT

/* Later than any moment the machine's own clock can give: journal_open() takes no clock. */
#define NOW_MS (1ULL << 50)

struct fixture {
    struct scratch segments;
    struct settings settings;
    struct heritage heritage;
    struct journal *journal;
    char untold[NAME_MAX + 2];

    /* Why the last append was refused, if it was. */
    struct call_refusal refusal;
    uint64_t appended;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->segments);
    f->settings.segments_size_bytes = SIZE_BYTES;
    f->settings.segments_limit_bytes = 1 << 30;
    /* Too long a name: it cannot be told where the volume is, so nothing follows from it. */
    memset(f->untold, 'x', sizeof(f->untold) - 1);
    f->settings.segments_directory = f->untold;
    f->settings.output_root = f->untold;
    f->heritage.settings = &f->settings;
    f->heritage.slot = SLOT;
    f->heritage.incarnation = INCARNATION;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->segments.fd;
    f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] >= 0);
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, SLOT + 2), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    journal_close(&f->journal);
    assert_null(f->journal);
    scoreboard_close(&f->heritage.scoreboard);
    (void)close(f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
    scratch_close(&f->segments);
    free(f);
    return 0;
}

static void
begin(struct fixture *f)
{
    assert_int_equal(journal_open(&f->journal, &f->heritage), 0);
    assert_non_null(f->journal);
}

/* Record `i` of a test: its kind, name, size and bytes follow from its number. */
struct numbered {
    char name[24];
    char payload[512];
    struct segment_record record;
};

static void
make_numbered(struct numbered *numbered, uint64_t i)
{
    size_t size = 1 + (size_t)(i * 37 % 500);
    int name_bytes = snprintf(numbered->name, sizeof(numbered->name), "out-%u", (unsigned)(i % 3));
    for (size_t at = 0; at < size; at++)
        numbered->payload[at] = (char)(i * 7 + at);
    bool file = i % 5 != 0;
    numbered->record = (struct segment_record){
        .kind = file ? SEGMENT_FILE : SEGMENT_STANDARD_OUTPUT,
        .name = {file ? numbered->name : NULL, file ? (size_t)name_bytes : 0},
        .payload = {numbered->payload, size}};
}

/* Appends; returns ACCEPTED, or the cause of the refusal. */
static enum refusal_cause
append(struct fixture *f, const struct segment_record *record, uint64_t now_ms)
{
    return journal_append(f->journal, record, now_ms, &f->refusal) ? ACCEPTED : f->refusal.cause;
}

static enum refusal_cause
append_numbered(struct fixture *f, uint64_t now_ms)
{
    struct numbered numbered;
    make_numbered(&numbered, f->appended);
    enum refusal_cause result = append(f, &numbered.record, now_ms);
    f->appended += result == ACCEPTED ? 1 : 0;
    return result;
}

static enum refusal_cause
append_sized(struct fixture *f, size_t payload_bytes, uint64_t now_ms)
{
    char *payload = calloc(1, payload_bytes);
    assert_non_null(payload);
    struct segment_record record = {SEGMENT_FILE, {"big", 3}, {payload, payload_bytes}, 0};
    enum refusal_cause result = append(f, &record, now_ms);
    free(payload);
    return result;
}

static void
append_many(struct fixture *f, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(append_numbered(f, NOW_MS), ACCEPTED);
}

static bool
is_numbered(const struct segment_record *record, uint64_t i)
{
    struct numbered numbered;
    make_numbered(&numbered, i);
    return record->kind == numbered.record.kind &&
           bytes_equal(record->name, numbered.record.name) &&
           bytes_equal(record->payload, numbered.record.payload);
}

static struct segment_reader *
open_reader(const struct fixture *f, const struct segment_entry *entry,
            struct segment_facts *facts_r)
{
    static struct segment_window window;
    struct segment_reader *reader = NULL;
    const char *reason = NULL;
    int fd = segment_store_open(f->segments.fd, entry);
    assert_true(fd >= 0);
    assert_int_equal(segment_facts_read(facts_r, fd, &entry->identity, &reason), 0);
    assert_int_equal(segment_reader_open(&reader, fd, facts_r, &window), 0);
    return reader;
}

/* Expects one segment to begin with record `next`, and to be sealed or not as its name says.
 * Returns the record after it. */
static uint64_t
expect_segment(const struct fixture *f, const struct segment_entry *entry, uint64_t next)
{
    struct segment_facts facts;
    struct segment_record record;
    struct segment_reader *reader = open_reader(f, entry, &facts);
    assert_int_equal(facts.start.sequence, next);
    while (segment_reader_next(reader, &record) == SEGMENT_NEXT_RECORD)
        assert_true(is_numbered(&record, next++));
    assert_int_equal(segment_reader_position(reader).sequence, next);
    assert_int_equal(segment_reader_next(reader, &record), entry->state == SEGMENT_STATE_SEALED
                                                               ? SEGMENT_NEXT_SEALED
                                                               : SEGMENT_NEXT_NONE);
    segment_reader_close(&reader);
    return next;
}

static size_t
list(const struct fixture *f, struct segment_entry **entries_r)
{
    size_t count = 0;
    assert_int_equal(segment_store_list(f->segments.fd, entries_r, &count), 0);
    return count;
}

/* Expects the directory to hold records `first` to the last appended, in segments numbered from
 * `first_number` on. Returns how many segments; *open_r: how many of them are open. */
static size_t
expect_all_there(const struct fixture *f, uint64_t first, uint64_t first_number, size_t *open_r)
{
    struct segment_entry *entries = NULL;
    size_t count = list(f, &entries);
    uint64_t next = first;
    *open_r = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(entries[i].identity.slot, SLOT);
        assert_int_equal(entries[i].identity.incarnation, INCARNATION);
        assert_int_equal(entries[i].identity.number, first_number + i);
        if (entries[i].state == SEGMENT_STATE_OPEN) {
            assert_int_equal(i, count - 1);
            (*open_r)++;
        }
        next = expect_segment(f, &entries[i], next);
    }
    assert_int_equal(next, f->appended);
    free(entries);
    return count;
}

/* Wake-ups of the collector since it was asked last. */
static uint64_t
wake_ups(const struct fixture *f)
{
    uint64_t count = 0;
    ssize_t size = read(f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP], &count, sizeof(count));
    if (size < 0)
        assert_int_equal(errno, EAGAIN);
    return size < 0 ? 0 : count;
}

static uint64_t
directory_changes(const struct fixture *f)
{
    return atomic_load(&f->heritage.scoreboard->segments_changed);
}

static void
test_records_are_read_back_in_order_over_many_segments(void **state)
{
    struct fixture *f = *state;
    size_t open = 0;
    begin(f);
    append_many(f, 500);
    assert_true(expect_all_there(f, 0, 0, &open) > 10);
    assert_int_equal(open, 1);
    append_many(f, 1);
    journal_close(&f->journal);
    assert_null(f->journal);
    assert_true(expect_all_there(f, 0, 0, &open) > 10);
    assert_int_equal(open, 0);
}

static void
test_each_record_is_there_before_the_next_is_appended(void **state)
{
    struct fixture *f = *state;
    size_t open = 0;
    begin(f);
    for (int i = 0; i < 100; i++) {
        append_many(f, 1);
        (void)expect_all_there(f, 0, 0, &open);
        assert_int_equal(open, 1);
    }
}

static void
test_a_journal_begins_with_an_open_empty_segment_and_close_seals_it(void **state)
{
    struct fixture *f = *state;
    size_t open = 0;
    begin(f);
    assert_int_equal(expect_all_there(f, 0, 0, &open), 1);
    assert_int_equal(open, 1);
    journal_close(&f->journal);
    assert_int_equal(expect_all_there(f, 0, 0, &open), 1);
    assert_int_equal(open, 0);
    journal_close(&f->journal); /* nothing is no trouble */
}

static uint64_t
size_of(const struct fixture *f, const struct segment_entry *entry)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    struct stat status;
    segment_name_format(name, &entry->identity, entry->state);
    assert_int_equal(fstatat(f->segments.fd, name, &status, 0), 0);
    return (uint64_t)status.st_size;
}

static void
test_a_record_larger_than_a_segment_gets_one_of_its_own(void **state)
{
    struct fixture *f = *state;
    const size_t payload = 25 * 4096 - 80; /* fills its segment to the last bytes */
    struct segment_entry *entries = NULL;
    struct segment_facts facts;
    struct segment_record record;
    begin(f);
    append_many(f, 3);
    assert_int_equal(append_sized(f, payload, NOW_MS), ACCEPTED);
    struct segment_record small = {SEGMENT_FILE, {"small", 5}, {"after", 5}, 0};
    assert_int_equal(append(f, &small, NOW_MS), ACCEPTED);
    journal_close(&f->journal);

    assert_int_equal(list(f, &entries), 3);
    assert_int_equal(size_of(f, &entries[0]), SIZE_BYTES);
    assert_int_equal(size_of(f, &entries[1]), segment_writer_file_bytes(3 + payload));
    assert_int_equal(size_of(f, &entries[2]), SIZE_BYTES);
    assert_int_equal(expect_segment(f, &entries[0], 0), 3);
    struct segment_reader *reader = open_reader(f, &entries[1], &facts);
    assert_int_equal(facts.start.sequence, 3);
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_RECORD);
    assert_int_equal(record.payload.size, payload);
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_SEALED);
    segment_reader_close(&reader);
    reader = open_reader(f, &entries[2], &facts);
    assert_int_equal(facts.start.sequence, 4);
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_RECORD);
    assert_true(bytes_equal(record.payload, small.payload));
    segment_reader_close(&reader);
    free(entries);
}

/* ---- the limit */

/* Appends until it is refused, which must be for the limit. */
static void
fill(struct fixture *f, uint64_t now_ms)
{
    enum refusal_cause result = ACCEPTED;
    for (int i = 0; i < 10000 && result == ACCEPTED; i++)
        result = append_numbered(f, now_ms);
    assert_int_equal(result, REFUSAL_SEGMENTS_LIMIT);
}

static void
remove_segment(const struct fixture *f, uint64_t number)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    struct segment_identity identity = {SLOT, INCARNATION, number};
    segment_name_format(name, &identity, SEGMENT_STATE_SEALED);
    assert_int_equal(unlinkat(f->segments.fd, name, 0), 0);
}

/* The first record of the segment of that number. */
static uint64_t
first_of(const struct fixture *f, uint64_t number)
{
    struct segment_entry entry = {{SLOT, INCARNATION, number}, SEGMENT_STATE_SEALED};
    struct segment_facts facts;
    struct segment_reader *reader = open_reader(f, &entry, &facts);
    segment_reader_close(&reader);
    return facts.start.sequence;
}

static void
test_the_limit_refuses_and_says_so_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    size_t open = 0;
    struct segment_store_bytes bytes;
    f->settings.segments_limit_bytes = 3 * SIZE_BYTES + SIZE_BYTES / 2;
    begin(f);
    fill(f, NOW_MS);
    assert_non_null(strstr(f->refusal.text, "segments.limit_bytes (28672)"));
    assert_int_equal(expect_all_there(f, 0, 0, &open), 3);
    assert_int_equal(open, 0); /* only what is sealed is ever given back */
    assert_int_equal(segment_store_count_bytes(f->segments.fd, SLOT, &bytes), 0);
    assert_int_equal(bytes.of_slot, 3 * SIZE_BYTES);
}

static void
test_after_the_limit_it_tries_again_a_moment_later_and_not_before(void **state)
{
    struct fixture *f = *state;
    size_t open = 0;
    f->settings.segments_limit_bytes = 3 * SIZE_BYTES;
    begin(f);
    fill(f, NOW_MS);
    uint64_t kept = first_of(f, 1);
    remove_segment(f, 0);
    assert_int_equal(append_numbered(f, NOW_MS), REFUSAL_SEGMENTS_LIMIT);
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS - 1), REFUSAL_SEGMENTS_LIMIT);
    assert_non_null(strstr(f->refusal.text, "segments.limit_bytes"));
    assert_int_equal(expect_all_there(f, kept, 1, &open), 2);
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), ACCEPTED);
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), ACCEPTED);
    assert_int_equal(expect_all_there(f, kept, 1, &open), 3);
    assert_int_equal(open, 1);
}

static void
test_a_limit_still_reached_is_looked_at_once_a_moment(void **state)
{
    struct fixture *f = *state;
    f->settings.segments_limit_bytes = 2 * SIZE_BYTES;
    begin(f);
    fill(f, NOW_MS);
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), REFUSAL_SEGMENTS_LIMIT);
    remove_segment(f, 0);
    assert_int_equal(append_numbered(f, NOW_MS + 2 * RETRY_MS - 1), REFUSAL_SEGMENTS_LIMIT);
    assert_int_equal(append_numbered(f, NOW_MS + 2 * RETRY_MS), ACCEPTED);
}

static bool
says_it_refuses(const struct fixture *f)
{
    return atomic_load(&f->heritage.scoreboard->slots[SLOT].refuses) != 0;
}

static void
test_after_the_limit_it_resumes_without_an_append_and_says_so(void **state)
{
    struct fixture *f = *state;
    f->settings.segments_limit_bytes = 2 * SIZE_BYTES;
    begin(f);
    journal_look(f->journal, NOW_MS);
    assert_false(says_it_refuses(f));
    fill(f, NOW_MS);
    journal_look(f->journal, NOW_MS);
    assert_true(says_it_refuses(f));
    remove_segment(f, 0);
    journal_look(f->journal, NOW_MS + RETRY_MS - 1);
    assert_true(says_it_refuses(f));
    journal_look(f->journal, NOW_MS + RETRY_MS);
    assert_false(says_it_refuses(f));
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), ACCEPTED);
}

static void
test_other_slots_do_not_count_against_the_limit(void **state)
{
    struct fixture *f = *state;
    char rubbish[3 * SIZE_BYTES] = {0};
    scratch_put(&f->segments, "00004-0000000017-0000000000.sealed", rubbish, sizeof(rubbish));
    scratch_put(&f->segments, "unrelated", rubbish, sizeof(rubbish));
    f->settings.segments_limit_bytes = SIZE_BYTES;
    begin(f);
    assert_int_equal(append_numbered(f, NOW_MS), ACCEPTED);
}

static void
test_what_an_earlier_incarnation_left_counts_against_the_limit(void **state)
{
    struct fixture *f = *state;
    char rubbish[SIZE_BYTES] = {0};
    scratch_put(&f->segments, "00003-0000000016-0000000009.sealed", rubbish, sizeof(rubbish));
    f->settings.segments_limit_bytes = 2 * SIZE_BYTES - 1;
    begin(f); /* no room is no error here */
    assert_int_equal(append_numbered(f, NOW_MS), REFUSAL_SEGMENTS_LIMIT);
    assert_int_equal(unlinkat(f->segments.fd, "00003-0000000016-0000000009.sealed", 0), 0);
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), ACCEPTED);
}

static void
test_a_record_too_large_for_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t open = 0;
    f->settings.segments_limit_bytes = 4 * SIZE_BYTES;
    begin(f);
    append_many(f, 2);
    assert_int_equal(append_sized(f, 5 * SIZE_BYTES, NOW_MS), REFUSAL_SEGMENTS_LIMIT);
    assert_non_null(strstr(f->refusal.text, "segments.limit_bytes"));
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), ACCEPTED);
    assert_int_equal(append_sized(f, 5 * SIZE_BYTES, NOW_MS + RETRY_MS), REFUSAL_SEGMENTS_LIMIT);
    assert_int_equal(append_numbered(f, NOW_MS + 2 * RETRY_MS), ACCEPTED);
    (void)expect_all_there(f, 0, 0, &open);
}

/* It is the cause of its refusal; the others have room. */
static void
test_a_record_too_large_for_the_limit_stands_in_nobodys_way(void **state)
{
    struct fixture *f = *state;
    f->settings.segments_limit_bytes = 4 * SIZE_BYTES;
    begin(f);
    append_many(f, 2);
    assert_int_equal(append_sized(f, 5 * SIZE_BYTES, NOW_MS), REFUSAL_SEGMENTS_LIMIT);
    assert_int_equal(append_numbered(f, NOW_MS), ACCEPTED);
}

/* ---- a directory that is no good */

static void
test_without_a_directory_it_refuses_and_lives(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->segments.fd, "gone", 0700), 0);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f->segments.fd, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->heritage.fds[HERITAGE_FD_SEGMENTS] >= 0);
    assert_int_equal(unlinkat(f->segments.fd, "gone", AT_REMOVEDIR), 0);
    begin(f);
    assert_int_equal(append_numbered(f, NOW_MS), REFUSAL_SYSTEM);
    assert_non_null(strstr(f->refusal.text, "segments.directory"));
    assert_non_null(strstr(f->refusal.text, "No such file or directory"));
    assert_int_equal(append_numbered(f, NOW_MS + 1), REFUSAL_SYSTEM);
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS), REFUSAL_SYSTEM);
    journal_close(&f->journal);
    assert_null(f->journal);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
}

static void
test_a_directory_that_goes_and_comes_back(void **state)
{
    struct fixture *f = *state;
    int file_fd = memfd_create("no directory", MFD_CLOEXEC);
    assert_true(file_fd >= 0);
    begin(f);
    append_many(f, 3);
    journal_close(&f->journal);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = file_fd;
    f->heritage.incarnation++;
    begin(f);
    assert_int_equal(append_numbered(f, NOW_MS), REFUSAL_SYSTEM);
    assert_non_null(strstr(f->refusal.text, "Not a directory"));
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    assert_int_equal(append_numbered(f, NOW_MS + RETRY_MS - 1), REFUSAL_SYSTEM);
    struct numbered first;
    make_numbered(&first, 0);
    assert_int_equal(append(f, &first.record, NOW_MS + RETRY_MS), ACCEPTED);
    journal_close(&f->journal);

    struct segment_entry *entries = NULL;
    assert_int_equal(list(f, &entries), 2);
    assert_int_equal(expect_segment(f, &entries[0], 0), 3);
    assert_int_equal(entries[1].identity.incarnation, INCARNATION + 1);
    assert_int_equal(expect_segment(f, &entries[1], 0), 1); /* sequences begin anew */
    free(entries);
    (void)close(file_fd);
}

static void
test_an_open_segment_whose_file_is_gone_is_followed_by_a_refusal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->segments.fd, "gone", 0700), 0);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f->segments.fd, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->heritage.fds[HERITAGE_FD_SEGMENTS] >= 0);
    begin(f);
    append_many(f, 1);
    assert_int_equal(
        unlinkat(f->heritage.fds[HERITAGE_FD_SEGMENTS], "00003-0000000017-0000000000.open", 0), 0);
    assert_int_equal(unlinkat(f->segments.fd, "gone", AT_REMOVEDIR), 0);
    enum refusal_cause result = ACCEPTED;
    for (int i = 0; i < 1000 && result == ACCEPTED; i++)
        result = append_numbered(f, NOW_MS);
    assert_int_equal(result, REFUSAL_SYSTEM);
    journal_close(&f->journal);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
}

/* ---- the collector */

static void
test_the_collector_is_woken_by_an_append_only_if_it_sleeps(void **state)
{
    struct fixture *f = *state;
    _Atomic uint32_t *sleeps = &f->heritage.scoreboard->collector_sleeps;
    begin(f);
    (void)wake_ups(f);
    append_many(f, 2);
    assert_int_equal(wake_ups(f), 0);
    for (int again = 0; again < 2; again++) {
        atomic_store(sleeps, 1);
        append_many(f, 1);
        assert_int_equal(wake_ups(f), 1);
        assert_int_equal(atomic_load(sleeps), 0);
        append_many(f, 1);
        assert_int_equal(wake_ups(f), 0);
    }
}

static void
test_the_collector_is_woken_by_every_change_of_the_directory(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_true(wake_ups(f) > 0);
    assert_int_equal(directory_changes(f), 1);
    struct segment_entry *entries = NULL;
    for (size_t segments = 1; segments < 4;) {
        append_many(f, 1);
        size_t now = list(f, &entries);
        free(entries);
        assert_int_equal(wake_ups(f) > 0, now > segments);
        segments = now;
        assert_int_equal(directory_changes(f),
                         2 * segments - 1); /* each begun, all but one sealed */
    }
    journal_close(&f->journal);
    assert_true(wake_ups(f) > 0);
    assert_int_equal(directory_changes(f), 8);
}

static void
test_the_seal_that_comes_with_a_refusal_is_told(void **state)
{
    struct fixture *f = *state;
    f->settings.segments_limit_bytes = SIZE_BYTES;
    begin(f);
    (void)wake_ups(f);
    fill(f, NOW_MS);
    assert_true(wake_ups(f) > 0);
    assert_int_equal(directory_changes(f), 2);
    atomic_store(&f->heritage.scoreboard->collector_sleeps, 1);
    assert_int_equal(append_numbered(f, NOW_MS + 1), REFUSAL_SEGMENTS_LIMIT);
    assert_int_equal(wake_ups(f), 0); /* nothing came */
    assert_int_equal(directory_changes(f), 2);
}

static void
test_a_wake_up_nobody_takes_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    const uint64_t full = UINT64_MAX - 1;
    size_t open = 0;
    assert_int_equal(write(f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP], &full, sizeof(full)), 8);
    begin(f);
    for (int i = 0; i < 50; i++) {
        atomic_store(&f->heritage.scoreboard->collector_sleeps, 1);
        append_many(f, 1);
    }
    (void)expect_all_there(f, 0, 0, &open);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Somebody cuts the open segment: the store is SIGBUS, and that is a refusal, no more. */
static void
test_a_store_that_is_a_fault_refuses_the_call(void **state)
{
    struct fixture *f = *state;
    char name[SEGMENT_NAME_BYTES_MAX];
    const struct segment_identity identity = {SLOT, INCARNATION, 0};
    uint64_t now_ms = NOW_MS;
    begin(f);
    assert_int_equal(append_numbered(f, now_ms), ACCEPTED);
    segment_name_format(name, &identity, SEGMENT_STATE_OPEN);
    int fd = openat(f->segments.fd, name, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SEGMENT_HEADER_BYTES), 0);
    (void)close(fd);
    assert_int_equal(append_numbered(f, now_ms), REFUSAL_SYSTEM);
    assert_non_null(strstr(f->refusal.text, "the open segment cannot be written"));
    assert_int_equal(append_numbered(f, now_ms), REFUSAL_SYSTEM);
    journal_look(f->journal, now_ms);
    assert_true(says_it_refuses(f));
    now_ms += RETRY_MS;
    assert_int_equal(append_numbered(f, now_ms), ACCEPTED);
    assert_true(scratch_has(&f->segments, name)); /* the collector's to judge */
}

/* The directory is renamed, another stands in its place, then it comes back. */
static void
test_nothing_is_appended_while_the_volume_is_not_in_its_place(void **state)
{
    struct fixture *f = *state;
    char elsewhere[sizeof(f->segments.path) + 8];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s.moved", f->segments.path);
    uint64_t now_ms = NOW_MS;
    f->settings.segments_directory = f->segments.path;
    f->settings.output_root = f->segments.path;
    begin(f);
    journal_look(f->journal, now_ms);
    assert_int_equal(append_numbered(f, now_ms), ACCEPTED);
    assert_int_equal(rename(f->segments.path, elsewhere), 0);
    journal_look(f->journal, now_ms += 1000);
    assert_true(says_it_refuses(f));
    assert_int_equal(append_numbered(f, now_ms), REFUSAL_SYSTEM);
    assert_non_null(strstr(f->refusal.text, "any more"));
    assert_int_equal(mkdir(f->segments.path, 0700), 0);
    journal_look(f->journal, now_ms += 1000);
    assert_int_equal(append_numbered(f, now_ms), REFUSAL_SYSTEM);
    assert_non_null(strstr(f->refusal.text, "another directory"));
    assert_int_equal(rmdir(f->segments.path), 0);
    assert_int_equal(rename(elsewhere, f->segments.path), 0);
    journal_look(f->journal, now_ms += 1000);
    assert_false(says_it_refuses(f));
    assert_int_equal(append_numbered(f, now_ms), ACCEPTED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_are_read_back_in_order_over_many_segments),
        TEST(test_each_record_is_there_before_the_next_is_appended),
        TEST(test_a_journal_begins_with_an_open_empty_segment_and_close_seals_it),
        TEST(test_a_record_larger_than_a_segment_gets_one_of_its_own),
        TEST(test_the_limit_refuses_and_says_so_and_loses_nothing),
        TEST(test_after_the_limit_it_tries_again_a_moment_later_and_not_before),
        TEST(test_a_limit_still_reached_is_looked_at_once_a_moment),
        TEST(test_after_the_limit_it_resumes_without_an_append_and_says_so),
        TEST(test_other_slots_do_not_count_against_the_limit),
        TEST(test_what_an_earlier_incarnation_left_counts_against_the_limit),
        TEST(test_a_record_too_large_for_the_limit_is_refused),
        TEST(test_a_record_too_large_for_the_limit_stands_in_nobodys_way),
        TEST(test_without_a_directory_it_refuses_and_lives),
        TEST(test_a_directory_that_goes_and_comes_back),
        TEST(test_an_open_segment_whose_file_is_gone_is_followed_by_a_refusal),
        TEST(test_the_collector_is_woken_by_an_append_only_if_it_sleeps),
        TEST(test_the_collector_is_woken_by_every_change_of_the_directory),
        TEST(test_the_seal_that_comes_with_a_refusal_is_told),
        TEST(test_a_wake_up_nobody_takes_holds_nobody_up),
        TEST(test_a_store_that_is_a_fault_refuses_the_call),
        TEST(test_nothing_is_appended_while_the_volume_is_not_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
