/* segment_helper_test.c -- what is ordered is made ready once, a failure says why, and what was
 * left is sealed, but not while it is held. */
#include "tests/unit/scratch.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "common/heritage.h"
#include "common/scoreboard.h"
#include "segment/segment_writer.h"
#include "worker/call_refusal.h"
#include "worker/segment_helper.h"

#define FILE_BYTES 8192U
#define PATIENCE_MS 20000U

/* An order with this number cannot be carried out. */
#define NUMBER_REFUSED 13U

struct fixture {
    struct scratch segments;
    struct heritage heritage;
    struct segment_helper *helper;
    struct call_refusal refusal;
};

static bool
make(const struct heritage *heritage, const struct segment_order *order,
     struct segment_writer **writer_r, struct call_refusal *refusal_r)
{
    const struct segment_identity identity = {0, 7, order->number};
    if (order->number == NUMBER_REFUSED)
        return call_refuse(refusal_r, REFUSAL_VOLUME_FULL, "an unlucky number");
    assert_int_equal(segment_writer_create(writer_r, heritage->fds[HERITAGE_FD_SEGMENTS], &identity,
                                           order->first_sequence, order->file_bytes, true),
                     0);
    return true;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->segments);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] = f->segments.fd;
    f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, 1), 0);
    assert_int_equal(segment_helper_start(&f->helper, &f->heritage, make), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *ready = NULL;
    segment_helper_stop(&f->helper, &ready);
    segment_writer_abandon(&ready);
    scoreboard_close(&f->heritage.scoreboard);
    (void)close(f->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP]);
    scratch_close(&f->segments);
    free(f);
    return 0;
}

static enum segment_helper_state
order(struct fixture *f, uint64_t number)
{
    segment_helper_order(f->helper, &(struct segment_order){number, 100, FILE_BYTES});
    return segment_helper_look(f->helper, PATIENCE_MS, &f->refusal);
}

static void
test_what_is_ordered_is_taken_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(segment_helper_look(f->helper, 0, &f->refusal), SEGMENT_HELPER_IDLE);
    assert_int_equal(order(f, 1), SEGMENT_HELPER_READY);
    struct segment_writer *writer = segment_helper_take(f->helper);
    assert_int_equal(segment_writer_next_sequence(writer), 100);
    assert_int_equal(segment_helper_look(f->helper, 0, &f->refusal), SEGMENT_HELPER_IDLE);
    segment_writer_seal(&writer);
}

static void
test_a_failure_says_why_and_may_be_followed_by_success(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(order(f, NUMBER_REFUSED), SEGMENT_HELPER_FAILED);
    assert_int_equal(f->refusal.cause, REFUSAL_VOLUME_FULL);
    assert_string_equal(f->refusal.text, "an unlucky number");
    assert_int_equal(order(f, 14), SEGMENT_HELPER_READY);
}

static void
test_what_is_left_is_sealed_unless_it_is_held(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *left[SEGMENT_HELPER_LEFT_MAX];
    assert_int_equal(order(f, 1), SEGMENT_HELPER_READY);
    struct segment_writer *writer = segment_helper_take(f->helper);
    segment_helper_hold(f->helper);
    segment_helper_leave(f->helper, writer, false);
    (void)usleep(50000);
    assert_int_equal(segment_helper_list_left(f->helper, left), 1);
    assert_ptr_equal(left[0], writer);
    segment_writer_sync(left[0]);
    assert_true(scratch_has(&f->segments, "00000-0000000007-0000000001.open"));
    segment_helper_release(f->helper);
    struct segment_writer *ready;
    segment_helper_stop(&f->helper, &ready);
    assert_null(ready);
    assert_null(f->helper);
    assert_true(scratch_has(&f->segments, "00000-0000000007-0000000001.sealed"));
    assert_int_equal(atomic_load(&f->heritage.scoreboard->segments_changed), 1);
}

static void
test_one_that_is_ready_is_handed_back_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct segment_writer *ready;
    segment_helper_order(f->helper, &(struct segment_order){2, 100, FILE_BYTES});
    segment_helper_stop(&f->helper, &ready);
    assert_non_null(ready);
    segment_writer_seal(&ready);
    assert_true(scratch_has(&f->segments, "00000-0000000007-0000000002.sealed"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_ordered_is_taken_once),
        TEST(test_a_failure_says_why_and_may_be_followed_by_success),
        TEST(test_what_is_left_is_sealed_unless_it_is_held),
        TEST(test_one_that_is_ready_is_handed_back_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
