/* source_test.c -- a source's phases: followed while it is written, read to its end once its writer
 * is gone, read again where something was passed over. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "collector/input/sources.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

static const struct segment_identity identity = {3, 17, 0};

struct fixture {
    struct scratch scratch;
    struct sources sources;
    struct segment_writer *writer;
};

/* A segment that is written, and the one source that the directory then has. */
static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->scratch);
    assert_int_equal(segment_writer_create(&f->writer, f->scratch.fd, &identity, 0, 65536, false),
                     0);
    sources_init(&f->sources, f->scratch.fd, false);
    assert_int_equal(sources_refresh(&f->sources, 1000), 0);
    assert_int_equal(f->sources.count, 1);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
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

/* The only source there is. */
static struct source *
only(const struct fixture *f)
{
    assert_int_equal(f->sources.count, 1);
    return f->sources.list[0];
}

/* Reads one record, which has that text; gives back where it stands. */
static struct segment_position
expect_next(struct fixture *f, const char *text)
{
    struct segment_record record;
    struct segment_position at;
    assert_int_equal(source_next(&f->sources.means, only(f), &record, &at), SEGMENT_NEXT_RECORD);
    assert_true(bytes_equal(record.payload, (struct bytes){text, strlen(text)}));
    return at;
}

static void
expect_none(struct fixture *f, enum source_phase phase)
{
    struct segment_record record;
    struct segment_position at;
    assert_int_equal(source_next(&f->sources.means, only(f), &record, &at), SEGMENT_NEXT_NONE);
    assert_int_equal(only(f)->phase, phase);
    source_pause(only(f));
}

static void
count_forgotten(void *context, size_t index)
{
    size_t *forgotten = context;
    (void)index;
    ++*forgotten;
}

/* How many sources are retired now. */
static size_t
retired(struct fixture *f)
{
    size_t forgotten = 0;
    sources_retire(&f->sources, count_forgotten, &forgotten);
    return forgotten;
}

static void
seal(struct fixture *f)
{
    segment_writer_seal(&f->writer);
    assert_int_equal(sources_refresh(&f->sources, 2000), 0);
}

static void
test_a_writer_is_followed_and_its_sealed_segment_retired(void **state)
{
    struct fixture *f = *state;
    expect_none(f, SOURCE_FOLLOWED);
    append(f, "one");
    (void)expect_next(f, "one");
    expect_none(f, SOURCE_FOLLOWED);
    assert_int_equal(source_unmerged_bytes(only(f)), 0); /* what comes is read as it comes */
    append(f, "two");
    seal(f);
    assert_int_equal(only(f)->phase, SOURCE_FINAL);
    assert_true(source_unmerged_bytes(only(f)) > 0);
    assert_int_equal(retired(f), 0);
    (void)expect_next(f, "two");
    expect_none(f, SOURCE_ENDED);
    assert_null(only(f)->damage);
    assert_int_equal(source_unmerged_bytes(only(f)), 0);
    assert_int_equal(retired(f), 1);
    assert_int_equal(f->sources.count, 0);
    assert_false(scratch_has(&f->scratch, "00003-0000000017-0000000000.sealed"));
}

static void
test_what_was_passed_over_is_read_again_before_it_is_retired(void **state)
{
    struct fixture *f = *state;
    append(f, "one");
    append(f, "two");
    append(f, "three");
    seal(f);
    (void)expect_next(f, "one");
    struct segment_position two = expect_next(f, "two");
    struct segment_position three = expect_next(f, "three");
    source_skip(only(f), three);
    source_skip(only(f), two); /* the first one counts */
    source_skip(only(f), three);
    expect_none(f, SOURCE_ENDED);
    assert_int_equal(retired(f), 0);
    assert_true(source_unmerged_bytes(only(f)) > 0);
    source_rewind(only(f), two, (struct segment_position){0, 0});
    assert_int_equal(only(f)->phase, SOURCE_FINAL);
    (void)expect_next(f, "two");
    (void)expect_next(f, "three");
    expect_none(f, SOURCE_ENDED);
    assert_int_equal(only(f)->phase, SOURCE_ENDED);
    assert_int_equal(retired(f), 1);
}

/* Two outputs passed over records of it: it goes back as far as one needs that can be written
 * again, and is kept for the other. */
static void
test_it_goes_back_no_further_than_it_must(void **state)
{
    struct fixture *f = *state;
    append(f, "one");
    append(f, "two");
    append(f, "three");
    seal(f);
    struct segment_position one = expect_next(f, "one");
    struct segment_position two = expect_next(f, "two");
    (void)expect_next(f, "three");
    source_skip(only(f), one);
    source_skip(only(f), two);
    source_rewind(only(f), two, one);
    (void)expect_next(f, "two");
    uint64_t waiting = source_unmerged_bytes(only(f));
    source_rewind(only(f), one, two);
    (void)expect_next(f, "one");
    /* It is before the one that is kept, and will come by. */
    assert_true(source_unmerged_bytes(only(f)) < waiting);
    source_rewind(only(f), two, (struct segment_position){0, 0});
    (void)expect_next(f, "two");
    (void)expect_next(f, "three");
    expect_none(f, SOURCE_ENDED);
    assert_int_equal(retired(f), 1);
}

static void
test_a_file_that_stays_away_is_final(void **state)
{
    struct fixture *f = *state;
    append(f, "one");
    (void)expect_next(f, "one");
    assert_int_equal(unlinkat(f->scratch.fd, "00003-0000000017-0000000000.open", 0), 0);
    assert_int_equal(sources_refresh(&f->sources, 2000), 0);
    append(f, "two"); /* its writer has not noticed yet */
    (void)expect_next(f, "two");
    expect_none(f, SOURCE_FOLLOWED);
    assert_int_equal(sources_refresh(&f->sources, 6000), 0);
    expect_none(f, SOURCE_ENDED);
    assert_int_equal(retired(f), 1);
}

static void
test_one_waits_for_the_one_before_it_in_its_incarnation_only(void **state)
{
    struct fixture *f = *state;
    static const struct segment_identity others[] = {{3, 17, 1}, {4, 17, 1}};
    for (size_t i = 0; i < 2; i++) {
        struct segment_writer *writer = NULL;
        assert_int_equal(segment_writer_create(&writer, f->scratch.fd, &others[i], 0, 65536, false),
                         0);
        segment_writer_seal(&writer);
    }
    assert_int_equal(sources_refresh(&f->sources, 1500), 0);
    assert_int_equal(f->sources.count, 3);
    assert_true(sources_may_read(&f->sources, 0, 2000));
    assert_false(sources_may_read(&f->sources, 1, 2000));
    assert_true(sources_may_read(&f->sources, 2, 2000));
    segment_writer_seal(&f->writer);
    assert_int_equal(sources_refresh(&f->sources, 2000), 0);
    struct segment_record record;
    struct segment_position at;
    assert_int_equal(source_next(&f->sources.means, f->sources.list[0], &record, &at),
                     SEGMENT_NEXT_NONE);
    assert_false(sources_may_read(&f->sources, 0, 2000)); /* it has ended */
    assert_true(sources_may_read(&f->sources, 1, 2000));
}

/* A promise of our own code that is broken ends the process: here a source is retired that has not
 * been read to its end. */
static void
test_what_is_not_done_cannot_be_retired(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        source_note_retired(only(f));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_writer_is_followed_and_its_sealed_segment_retired),
        TEST(test_what_was_passed_over_is_read_again_before_it_is_retired),
        TEST(test_it_goes_back_no_further_than_it_must),
        TEST(test_a_file_that_stays_away_is_final),
        TEST(test_one_waits_for_the_one_before_it_in_its_incarnation_only),
        TEST(test_what_is_not_done_cannot_be_retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
