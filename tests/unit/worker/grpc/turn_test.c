/* turn_test.c -- two workers of one scoreboard, in one process, agree on whose turn it is, by a
 * clock that the test turns. */
#include "worker/grpc/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"

#define WORKERS 2
#define NOW_MS 50000U

struct fixture {
    struct settings settings;
    struct heritage heritages[WORKERS];
    struct turn turns[WORKERS];
    struct scoreboard *scoreboard;
};

static struct fixture fixture;

static int
setup(void **state)
{
    fixture = (struct fixture){.settings = {.workers_max_connections = 3}};
    assert_int_equal(scoreboard_open(&fixture.scoreboard, WORKERS), 0);
    for (uint32_t slot = 0; slot < WORKERS; slot++) {
        fixture.heritages[slot] = (struct heritage){
            .settings = &fixture.settings,
            .scoreboard = fixture.scoreboard,
            .slot = slot,
            .worker_count = WORKERS,
        };
        turn_begin(&fixture.turns[slot], &fixture.heritages[slot], NOW_MS);
    }
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    scoreboard_close(&fixture.scoreboard);
    return 0;
}

static void
set_connections(struct fixture *f, uint32_t slot, uint32_t count)
{
    atomic_store(&f->scoreboard->slots[slot].connections, count);
}

static void
test_fewest_connections_first(void **state)
{
    struct fixture *f = *state;
    assert_false(turn_any_willing(&f->turns[0], NOW_MS));
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS), 1); /* nobody else is there yet */
    assert_true(turn_any_willing(&f->turns[0], NOW_MS));
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS), 0);
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS), 0);
    set_connections(f, 0, 1);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS), 1);
    set_connections(f, 1, 2);
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS), 0);
}

static void
test_a_full_worker_takes_none(void **state)
{
    struct fixture *f = *state;
    set_connections(f, 0, 3);
    set_connections(f, 1, 3);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS), UINT32_MAX);
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS), UINT32_MAX);
    set_connections(f, 1, 2);
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS), 1);
}

static void
test_a_draining_worker_takes_none(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS), 0);
    assert_int_equal(turn_agree(&f->turns[0], true, NOW_MS), UINT32_MAX);
    assert_false(turn_any_willing(&f->turns[0], NOW_MS));
}

static void
test_a_worker_whose_loop_is_stuck_takes_none(void **state)
{
    struct fixture *f = *state;
    _Atomic uint64_t *heartbeat = &f->scoreboard->slots[0].heartbeat;
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 999), 0);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 1000), UINT32_MAX);
    atomic_fetch_add(heartbeat, 1);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 1010), 0);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 2009), 0);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 2010), UINT32_MAX);
}

static void
test_a_worker_short_of_something_takes_none_for_a_second(void **state)
{
    struct fixture *f = *state;
    turn_refuse(&f->turns[0], NOW_MS);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS), UINT32_MAX);
    atomic_fetch_add(&f->scoreboard->slots[0].heartbeat, 1);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 999), UINT32_MAX);
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS + 1000), 0);
}

static void
test_a_word_does_not_hold_for_long(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(turn_agree(&f->turns[0], false, NOW_MS), 0);
    /* It is stopped here; the other one is willing but has more. */
    set_connections(f, 1, 1);
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS + 599), 0);
    assert_int_equal(turn_agree(&f->turns[1], false, NOW_MS + 601), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fewest_connections_first),
        TEST(test_a_full_worker_takes_none),
        TEST(test_a_draining_worker_takes_none),
        TEST(test_a_worker_whose_loop_is_stuck_takes_none),
        TEST(test_a_worker_short_of_something_takes_none_for_a_second),
        TEST(test_a_word_does_not_hold_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
