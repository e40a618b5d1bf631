/* sources_test.c -- what a listing misses, and what cannot be opened, is there all the same:
 * only that neither of its names is there makes a segment gone. */
#include "tests/unit/failing_calls.h"

#include "collector/input/sources.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

#define OPEN_NAME "00003-0000000017-0000000000.open"
#define SEALED_NAME "00003-0000000017-0000000000.sealed"

static const struct segment_identity identity = {3, 17, 0};

struct fixture {
    struct scratch scratch;
    struct sources sources;
    struct segment_writer *writer;
    uint64_t now_ms;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->scratch);
    sources_init(&f->sources, f->scratch.fd, false);
    f->now_ms = 1000;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    failing = (struct failing_call){.call = NULL};
    hidden_entry = NULL;
    segment_writer_abandon(&f->writer);
    sources_clear(&f->sources);
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

static void
append(struct fixture *f, const char *text)
{
    const struct segment_record record = {SEGMENT_FILE, {"out", 3}, {text, strlen(text)}, 0};
    segment_writer_append(f->writer, &record);
}

/* Begins the segment, with two records. */
static void
begin(struct fixture *f, bool durable)
{
    assert_int_equal(segment_writer_create(&f->writer, f->scratch.fd, &identity, 0, 65536, durable),
                     0);
    append(f, "one");
    append(f, "two");
}

static void
refresh_later(struct fixture *f, uint64_t ms)
{
    f->now_ms += ms;
    assert_int_equal(sources_refresh(&f->sources, f->now_ms), 0);
}

static struct source *
only(const struct fixture *f)
{
    assert_int_equal(f->sources.count, 1);
    return f->sources.list[0];
}

/* The next record has that text; NULL: there is none now. */
static void
expect_next(struct fixture *f, const char *text)
{
    struct segment_record record;
    struct segment_position at;
    enum segment_next next = source_next(&f->sources.means, only(f), &record, &at);
    assert_int_equal(next, text == NULL ? SEGMENT_NEXT_NONE : SEGMENT_NEXT_RECORD);
    if (text != NULL)
        assert_true(bytes_equal(record.payload, (struct bytes){text, strlen(text)}));
    source_pause(only(f));
}

static void
count_forgotten(void *context, size_t index)
{
    size_t *forgotten = context;
    (void)index;
    ++*forgotten;
}

static size_t
retired(struct fixture *f)
{
    size_t forgotten = 0;
    sources_retire(&f->sources, count_forgotten, &forgotten);
    return forgotten;
}

static void
test_a_segment_that_a_listing_misses_stays(void **state)
{
    struct fixture *f = *state;
    begin(f, false);
    refresh_later(f, 0);
    expect_next(f, "one");
    hidden_entry = OPEN_NAME;
    for (int look = 0; look < 5; look++) {
        refresh_later(f, 5000);
        assert_int_equal(only(f)->phase, SOURCE_FOLLOWED);
    }
    expect_next(f, "two");
    expect_next(f, NULL);
    assert_int_equal(retired(f), 0);
    append(f, "three"); /* its writer lives */
    expect_next(f, "three");
    hidden_entry = NULL;
    segment_writer_seal(&f->writer);
    refresh_later(f, 1000);
    expect_next(f, NULL);
    assert_int_equal(retired(f), 1);
}

static void
test_a_known_segment_that_cannot_be_opened_stays_where_it_was_read_to(void **state)
{
    static const int errors[] = {EACCES, EPERM, EIO, ENOSPC};
    struct fixture *f = *state;
    begin(f, false);
    refresh_later(f, 0);
    expect_next(f, "one");
    /* Its writer is dead, and it cannot be taken over. */
    segment_writer_abandon(&f->writer);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        failing = (struct failing_call){"openat", OPEN_NAME, errors[i], 0, FAILING_ALWAYS, 0};
        for (int look = 0; look < 5; look++) {
            refresh_later(f, 4000);
            assert_true(failing.failed > 0);
            assert_int_equal(f->sources.unreadable, 1);
            assert_int_equal(only(f)->phase, SOURCE_FOLLOWED);
            assert_int_equal(only(f)->missing_since_ms, 0);
        }
    }
    failing = (struct failing_call){.call = NULL};
    refresh_later(f, 1000);
    assert_int_equal(f->sources.unreadable, 0);
    assert_int_equal(only(f)->phase, SOURCE_FINAL);
    expect_next(f, "two"); /* and not its beginning once more */
    expect_next(f, NULL);
    assert_null(only(f)->damage);
    assert_int_equal(retired(f), 1);
}

/* Final, and it cannot be opened or read for long: it waits, and is neither damaged nor done. */
static void
test_a_final_segment_that_cannot_be_read_waits_however_long(void **state)
{
    static const char *const calls[] = {"openat", "pread"};
    static const int errors[] = {ENOMEM, EMFILE, EACCES, EIO};
    struct fixture *f = *state;
    begin(f, false);
    segment_writer_seal(&f->writer);
    refresh_later(f, 0);
    for (size_t i = 0; i < 8; i++) {
        failing =
            (struct failing_call){calls[i / 4], SEALED_NAME, errors[i % 4], 0, FAILING_ALWAYS, 0};
        for (int look = 0; look < 3; look++)
            expect_next(f, NULL);
        assert_true(failing.failed > 0);
        assert_int_equal(only(f)->phase, SOURCE_FINAL);
        assert_null(only(f)->damage);
        assert_int_equal(retired(f), 0);
    }
    failing = (struct failing_call){.call = NULL};
    expect_next(f, "one");
    expect_next(f, "two");
    expect_next(f, NULL);
    assert_null(only(f)->damage);
    assert_int_equal(retired(f), 1);
}

/* Those behind it in its incarnation wait for it for a moment, and then go on without it. */
static void
test_one_that_cannot_be_read_holds_up_those_behind_it_for_a_moment(void **state)
{
    struct fixture *f = *state;
    static const struct segment_identity next = {3, 17, 1};
    struct segment_writer *writer = NULL;
    begin(f, false);
    segment_writer_seal(&f->writer);
    assert_int_equal(segment_writer_create(&writer, f->scratch.fd, &next, 2, 65536, false), 0);
    segment_writer_seal(&writer);
    refresh_later(f, 0);
    assert_int_equal(f->sources.count, 2);
    assert_false(sources_may_read(&f->sources, 1, f->now_ms));
    f->sources.list[0]->failing_since_ms = f->now_ms;
    assert_false(sources_may_read(&f->sources, 1, f->now_ms + SOURCE_FAILING_MS - 1));
    assert_true(sources_may_read(&f->sources, 1, f->now_ms + SOURCE_FAILING_MS));
    assert_true(sources_may_read(&f->sources, 0, f->now_ms + SOURCE_FAILING_MS)); /* it may too */
}

static void
test_an_unknown_segment_that_cannot_be_opened_is_met_when_it_can(void **state)
{
    struct fixture *f = *state;
    begin(f, false);
    segment_writer_seal(&f->writer);
    failing = (struct failing_call){"openat", SEALED_NAME, EACCES, 0, FAILING_ALWAYS, 0};
    for (int look = 0; look < 5; look++) {
        refresh_later(f, 4000);
        assert_int_equal(f->sources.count, 0);
        assert_int_equal(f->sources.unreadable, 1);
        assert_false(sources_is_gone(&f->sources, &identity));
    }
    failing = (struct failing_call){.call = NULL};
    refresh_later(f, 1000);
    assert_int_equal(f->sources.unreadable, 0);
    expect_next(f, "one");
}

/* Without memory or descriptors the directory is not seen as a whole. */
static void
test_a_lack_of_memory_or_descriptors_is_no_look_at_the_directory(void **state)
{
    static const int errors[] = {ENOMEM, EMFILE, ENFILE};
    struct fixture *f = *state;
    begin(f, false);
    segment_writer_seal(&f->writer);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        failing = (struct failing_call){"openat", SEALED_NAME, errors[i], 0, FAILING_ALWAYS, 0};
        assert_int_equal(sources_refresh(&f->sources, f->now_ms), -errors[i]);
    }
    failing = (struct failing_call){.call = NULL};
    refresh_later(f, 1000);
    expect_next(f, "one");
}

static void
test_only_the_absence_of_both_names_is_absence(void **state)
{
    struct fixture *f = *state;
    assert_true(sources_is_gone(&f->sources, &identity));
    begin(f, false);
    assert_false(sources_is_gone(&f->sources, &identity));
    segment_writer_seal(&f->writer);
    assert_false(sources_is_gone(&f->sources, &identity));
    struct sources elsewhere = f->sources;
    elsewhere.means.directory_fd = -1;
    assert_false(sources_is_gone(&elsewhere, &identity)); /* an error is no answer */
    assert_int_equal(unlinkat(f->scratch.fd, SEALED_NAME, 0), 0);
    assert_true(sources_is_gone(&f->sources, &identity));
}

static void
test_a_source_is_found_by_the_id_of_its_segment(void **state)
{
    struct fixture *f = *state;
    begin(f, false);
    refresh_later(f, 0);
    struct segment_id id = only(f)->facts.id;
    assert_ptr_equal(sources_find_id(&f->sources, &id), only(f));
    id.bytes[15] = (unsigned char)(id.bytes[15] ^ 1);
    assert_null(sources_find_id(&f->sources, &id));
}

/* One segment that was acknowledged durably makes all that is done durable, whatever the
 * setting. */
static void
test_durability_belongs_to_the_segments(void **state)
{
    struct fixture *f = *state;
    refresh_later(f, 0);
    assert_false(f->sources.durable);
    begin(f, true);
    refresh_later(f, 1000);
    assert_true(only(f)->facts.durable);
    assert_true(f->sources.durable);
    segment_writer_seal(&f->writer);
    refresh_later(f, 1000);
    expect_next(f, "one");
    expect_next(f, "two");
    expect_next(f, NULL);
    assert_int_equal(retired(f), 1);
    refresh_later(f, 1000);
    assert_false(f->sources.durable); /* it is no more */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_segment_that_a_listing_misses_stays),
        TEST(test_a_known_segment_that_cannot_be_opened_stays_where_it_was_read_to),
        TEST(test_a_final_segment_that_cannot_be_read_waits_however_long),
        TEST(test_one_that_cannot_be_read_holds_up_those_behind_it_for_a_moment),
        TEST(test_an_unknown_segment_that_cannot_be_opened_is_met_when_it_can),
        TEST(test_a_lack_of_memory_or_descriptors_is_no_look_at_the_directory),
        TEST(test_only_the_absence_of_both_names_is_absence),
        TEST(test_a_source_is_found_by_the_id_of_its_segment),
        TEST(test_durability_belongs_to_the_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
