/* replay_test.c -- what a segment holds is read again, as far as it is wanted, and its source
 * does not notice. */
#include "tests/unit/failing_calls.h"

#include "collector/input/replay.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

#define SEALED_NAME "00003-0000000017-0000000000.sealed"

static const struct segment_identity identity = {3, 17, 0};
static const char *const texts[] = {"one", "two", "three"};

struct fixture {
    struct scratch scratch;
    struct segment_writer *writer;
    struct source_means means;
    struct source source;
    /* Where record i begins; the last one is where they end. */
    uint64_t offsets[4];
    char taken[64];
    /* The take function ends the reading when it has taken so many. */
    int until;
    int ending;
};

static void
append(struct fixture *f, const char *text)
{
    const struct segment_record record = {SEGMENT_FILE, {"out", 3}, {text, strlen(text)}, 0};
    segment_writer_append(f->writer, &record);
}

/* A segment with three records, which is still written. */
static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *reason;
    assert_non_null(f);
    scratch_open(&f->scratch);
    f->means.directory_fd = f->scratch.fd;
    f->until = 100;
    assert_int_equal(segment_writer_create(&f->writer, f->scratch.fd, &identity, 5, 65536, false),
                     0);
    f->offsets[0] = SEGMENT_HEADER_BYTES;
    for (size_t i = 0; i < 3; i++) {
        append(f, texts[i]);
        f->offsets[i + 1] = f->offsets[i] + segment_record_bytes(3 + strlen(texts[i]));
    }
    const struct segment_entry entry = {identity, SEGMENT_STATE_OPEN};
    int fd = segment_store_open(f->scratch.fd, &entry);
    assert_int_equal(segment_facts_read(&f->source.facts, fd, &identity, &reason), 0);
    (void)close(fd);
    f->source.position = f->source.facts.start;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    failing = (struct failing_call){.call = NULL};
    segment_writer_abandon(&f->writer);
    segment_reader_close(&f->source.reader);
    segment_window_clear(&f->means.window);
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

static int
take(void *context, const struct segment_record *record, struct segment_position at,
     uint64_t end_offset)
{
    struct fixture *f = context;
    size_t i = at.sequence - 5;
    assert_true(i < 3);
    assert_int_equal(at.offset, f->offsets[i]);
    assert_int_equal(end_offset, f->offsets[i + 1]);
    assert_true(bytes_equal(record->name, (struct bytes){"out", 3}));
    (void)strncat(f->taken, record->payload.data, record->payload.size);
    (void)strcat(f->taken, ".");
    return --f->until == 0 ? f->ending : 0;
}

/* Reads up to `end`; expects these texts to be taken, and that the source stays as it is. */
static int
replay(struct fixture *f, uint64_t end, const char *taken)
{
    struct segment_position before = f->source.position;
    enum source_phase phase = f->source.phase;
    f->taken[0] = '\0';
    int result = replay_read(&f->means, &f->source, end, take, f);
    assert_string_equal(f->taken, taken);
    assert_int_equal(f->source.position.offset, before.offset);
    assert_int_equal(f->source.phase, phase);
    return result;
}

static void
test_records_are_read_from_the_beginning_to_the_end_that_is_wanted(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(replay(f, 0, ""), 0);
    assert_int_equal(replay(f, f->offsets[0], ""), 0);
    assert_int_equal(replay(f, f->offsets[1], "one."), 0);
    assert_int_equal(replay(f, f->offsets[2], "one.two."), 0);
    assert_int_equal(replay(f, f->offsets[3], "one.two.three."), 0);
}

static void
test_a_source_that_is_being_read_does_not_notice(void **state)
{
    struct fixture *f = *state;
    struct segment_record record;
    struct segment_position at;
    assert_int_equal(source_next(&f->means, &f->source, &record, &at), SEGMENT_NEXT_RECORD);
    assert_int_equal(replay(f, f->offsets[3], "one.two.three."), 0);
    assert_int_equal(source_next(&f->means, &f->source, &record, &at), SEGMENT_NEXT_RECORD);
    assert_int_equal(at.offset, f->offsets[1]);
    assert_true(bytes_equal(record.payload, (struct bytes){"two", 3}));
}

static void
test_a_segment_that_ends_before_has_no_more_data(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(replay(f, UINT64_MAX, "one.two.three."), -ENODATA);
    segment_writer_seal(&f->writer);
    assert_int_equal(replay(f, UINT64_MAX, "one.two.three."), -ENODATA);
    assert_int_equal(replay(f, f->offsets[3], "one.two.three."), 0); /* under its other name */
}

/* What is damaged never comes back: it is as if the power had taken it. */
static void
test_damage_ends_what_there_is(void **state)
{
    struct fixture *f = *state;
    size_t size = 0;
    segment_writer_seal(&f->writer);
    char *data = scratch_get(&f->scratch, SEALED_NAME, &size);
    assert_true(data != NULL && size > f->offsets[2]);
    if (data == NULL)
        return;
    data[f->offsets[1] + SEGMENT_RECORD_HEADER_BYTES] ^= 1;
    scratch_put(&f->scratch, SEALED_NAME, data, size);
    free(data);
    assert_int_equal(replay(f, f->offsets[3], "one."), -ENODATA);
}

static void
test_who_takes_can_end_it(void **state)
{
    struct fixture *f = *state;
    f->until = 2;
    f->ending = 7;
    assert_int_equal(replay(f, f->offsets[3], "one.two."), 7);
    f->until = 1;
    f->ending = -ENOMEM;
    assert_int_equal(replay(f, f->offsets[3], "one."), -ENOMEM);
}

/* No lack is damage, and no error is an end: -ENODATA would let records be lost. */
static void
test_what_cannot_be_read_now_is_told_apart(void **state)
{
    static const int errors[] = {EIO, EACCES, EMFILE, ENOMEM};
    struct fixture *f = *state;
    segment_writer_seal(&f->writer);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        failing = (struct failing_call){"openat", SEALED_NAME, errors[i], 0, FAILING_ALWAYS, 0};
        assert_int_equal(replay(f, f->offsets[3], ""), -errors[i]);
    }
    failing = (struct failing_call){"pread", SEALED_NAME, EIO, 0, FAILING_ALWAYS, 0};
    assert_int_equal(replay(f, f->offsets[3], ""), -EIO);
    assert_true(failing.failed > 0);
    failing = (struct failing_call){.call = NULL};
    assert_int_equal(unlinkat(f->scratch.fd, SEALED_NAME, 0), 0);
    assert_int_equal(replay(f, f->offsets[3], ""), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_are_read_from_the_beginning_to_the_end_that_is_wanted),
        TEST(test_a_source_that_is_being_read_does_not_notice),
        TEST(test_a_segment_that_ends_before_has_no_more_data),
        TEST(test_damage_ends_what_there_is),
        TEST(test_who_takes_can_end_it),
        TEST(test_what_cannot_be_read_now_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
