/* scoreboard_test.c -- whose turn it is to accept, and what a child writes. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/scoreboard.h"

#define NOW_MS 5000U

static struct scoreboard *
open_scoreboard(uint32_t slots)
{
    struct scoreboard *scoreboard = NULL;
    assert_int_equal(scoreboard_open(&scoreboard, slots), 0);
    assert_non_null(scoreboard);
    return scoreboard;
}

static void
set_slot(struct scoreboard *scoreboard, uint32_t slot, uint32_t connections, uint64_t willing_until)
{
    atomic_store(&scoreboard->slots[slot].connections, connections);
    atomic_store(&scoreboard->slots[slot].willing_until_ms, willing_until);
}

static void
test_a_new_scoreboard_is_empty(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(SCOREBOARD_WORKERS_MAX + 1);
    assert_int_equal(scoreboard->slot_count, SCOREBOARD_WORKERS_MAX + 1);
    assert_int_equal(atomic_load(&scoreboard->segments_changed), 0);
    assert_int_equal(atomic_load(&scoreboard->collector_sleeps), 0);
    for (uint32_t i = 0; i < scoreboard->slot_count; i++) {
        assert_int_equal(atomic_load(&scoreboard->slots[i].heartbeat), 0);
        assert_int_equal(atomic_load(&scoreboard->slots[i].connections), 0);
        assert_int_equal(atomic_load(&scoreboard->slots[i].willing_until_ms), 0);
        assert_int_equal(tally_get(&scoreboard->slots[i].worker.begun), 0);
    }
    scoreboard_close(&scoreboard);
    assert_null(scoreboard);
    scoreboard_close(&scoreboard);
}

static void
test_slots_are_cache_lines_apart(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3);
    uintptr_t first = (uintptr_t)&scoreboard->slots[0];
    uintptr_t second = (uintptr_t)&scoreboard->slots[1];
    assert_int_equal(first % SCOREBOARD_LINE_BYTES, 0);
    assert_int_equal((second - first) % SCOREBOARD_LINE_BYTES, 0);
    scoreboard_close(&scoreboard);
}

static void
test_nobody_willing_is_nobodys_turn(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(4);
    assert_int_equal(scoreboard_turn(scoreboard, 0, NOW_MS), UINT32_MAX);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), UINT32_MAX);
    scoreboard_close(&scoreboard);
}

static void
test_the_fewest_connections_have_the_turn(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(4);
    set_slot(scoreboard, 0, 7, NOW_MS + 1);
    set_slot(scoreboard, 1, 3, NOW_MS + 1);
    set_slot(scoreboard, 2, 2, NOW_MS + 1);
    set_slot(scoreboard, 3, 9, NOW_MS + 1);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), 2);
    set_slot(scoreboard, 2, 8, NOW_MS + 1);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), 1);
    set_slot(scoreboard, 3, 0, NOW_MS + 1);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), 3);
    scoreboard_close(&scoreboard);
}

static void
test_of_equals_the_lowest_slot_has_the_turn(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(4);
    for (uint32_t slot = 0; slot < 4; slot++)
        set_slot(scoreboard, slot, 2, NOW_MS + 1 + slot);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), 0);
    set_slot(scoreboard, 0, 3, NOW_MS + 1);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), 1);
    scoreboard_close(&scoreboard);
}

static void
test_willingness_ends_with_its_moment(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(2);
    set_slot(scoreboard, 0, 0, NOW_MS);
    set_slot(scoreboard, 1, 100, NOW_MS + 1);
    assert_int_equal(scoreboard_turn(scoreboard, 2, NOW_MS - 1), 0);
    assert_int_equal(scoreboard_turn(scoreboard, 2, NOW_MS), 1);
    assert_int_equal(scoreboard_turn(scoreboard, 2, NOW_MS + 1), UINT32_MAX);
    scoreboard_close(&scoreboard);
}

static void
test_slots_beyond_the_workers_never_have_the_turn(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3);
    set_slot(scoreboard, 1, 5, NOW_MS + 1);
    set_slot(scoreboard, 2, 0, NOW_MS + 1); /* the collector's, say */
    assert_int_equal(scoreboard_turn(scoreboard, 2, NOW_MS), 1);
    assert_int_equal(scoreboard_turn(scoreboard, 3, NOW_MS), 2);
    scoreboard_close(&scoreboard);
}

static void
test_a_cleared_slot_is_out_of_the_race_and_alone(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3);
    for (uint32_t slot = 0; slot < 3; slot++)
        set_slot(scoreboard, slot, 10 + slot, NOW_MS + 1);
    tally_add(&scoreboard->slots[0].worker.begun, 9);
    tally_add(&scoreboard->slots[0].worker.ended, 7);
    scoreboard_clear_slot(scoreboard, 0);
    assert_int_equal(tally_get(&scoreboard->slots[0].worker.begun), 9); /* what was counted stays */
    assert_int_equal(tally_get(&scoreboard->slots[0].worker.ended),
                     9); /* and nothing is in flight */
    assert_int_equal(atomic_load(&scoreboard->slots[0].connections), 0);
    assert_int_equal(atomic_load(&scoreboard->slots[0].willing_until_ms), 0);
    assert_int_equal(scoreboard_turn(scoreboard, 3, NOW_MS), 1);
    assert_int_equal(atomic_load(&scoreboard->slots[1].connections), 11);
    assert_int_equal(atomic_load(&scoreboard->slots[2].willing_until_ms), NOW_MS + 1);
    scoreboard_close(&scoreboard);
}

static void
test_it_serves_if_a_healthy_worker_is_there_and_none_refuses(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3);
    assert_false(scoreboard_serves(scoreboard, 2));
    atomic_store(&scoreboard->slots[2].process.healthy, 1); /* the collector's */
    assert_false(scoreboard_serves(scoreboard, 2));
    atomic_store(&scoreboard->slots[1].process.healthy, 1);
    assert_true(scoreboard_serves(scoreboard, 2));
    atomic_store(&scoreboard->slots[0].refuses, 1); /* it is not healthy: it says nothing */
    assert_true(scoreboard_serves(scoreboard, 2));
    atomic_store(&scoreboard->slots[0].process.healthy, 1);
    assert_false(scoreboard_serves(scoreboard, 2));
    scoreboard_clear_slot(scoreboard, 0);
    assert_int_equal(atomic_load(&scoreboard->slots[0].refuses), 0);
    assert_int_equal(atomic_load(&scoreboard->slots[0].process.healthy), 0);
    assert_true(scoreboard_serves(scoreboard, 2));
    scoreboard_close(&scoreboard);
}

static void
test_from_outside_it_is_read_and_others_are_refused(void **state)
{
    (void)state;
    const struct scoreboard *seen = NULL;
    struct scoreboard *scoreboard = open_scoreboard(3);
    tally_add(&scoreboard->slots[2].worker.begun, 5);
    assert_int_equal(scoreboard_attach(&seen, scoreboard->fd), 0);
    assert_int_equal(tally_get(&seen->slots[2].worker.begun), 5);
    tally_add(&scoreboard->slots[2].worker.begun, 1);
    assert_int_equal(tally_get(&seen->slots[2].worker.begun), 6);
    scoreboard_detach(&seen);
    assert_null(seen);
    scoreboard_detach(&seen);

    scoreboard->facts.version[0] ^= 1;
    assert_int_equal(scoreboard_attach(&seen, scoreboard->fd), -EPROTO);
    scoreboard->facts.version[0] ^= 1;
    scoreboard->slot_count++;
    assert_int_equal(scoreboard_attach(&seen, scoreboard->fd), -EPROTO);
    scoreboard->slot_count--;
    scoreboard->layout++;
    assert_int_equal(scoreboard_attach(&seen, scoreboard->fd), -EPROTO);
    int empty = memfd_create("empty", MFD_CLOEXEC);
    assert_int_equal(scoreboard_attach(&seen, empty), -EPROTO);
    (void)close(empty);
    scoreboard_close(&scoreboard);
}

static void
test_each_slot_says_its_role(void **state)
{
    (void)state;
    const struct scoreboard *seen = NULL;
    struct scoreboard *scoreboard = open_scoreboard(4);
    scoreboard_set_role(scoreboard, 2, ROLE_COLLECTOR);
    scoreboard_set_role(scoreboard, 3, ROLE_ADMIN);
    assert_int_equal(scoreboard_attach(&seen, scoreboard->fd), 0);
    assert_int_equal(scoreboard_role(seen, 0), ROLE_WORKER);
    assert_int_equal(scoreboard_role(seen, 1), ROLE_WORKER);
    assert_int_equal(scoreboard_role(seen, 2), ROLE_COLLECTOR);
    assert_int_equal(scoreboard_role(seen, 3), ROLE_ADMIN);
    scoreboard_detach(&seen);
    scoreboard_clear_slot(scoreboard, 2); /* the next collector will be one, too */
    assert_int_equal(scoreboard_role(scoreboard, 2), ROLE_COLLECTOR);
    scoreboard_close(&scoreboard);
}

static void
test_a_slot_that_does_not_exist_is_a_broken_promise(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3);
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        scoreboard_clear_slot(scoreboard, 3);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    scoreboard_close(&scoreboard);
}

static void
test_what_a_child_writes_everybody_reads(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(2);
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        set_slot(scoreboard, 1, 4, NOW_MS + 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(atomic_load(&scoreboard->slots[1].connections), 4);
    assert_int_equal(scoreboard_turn(scoreboard, 2, NOW_MS), 1);
    scoreboard_close(&scoreboard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_scoreboard_is_empty),
        cmocka_unit_test(test_slots_are_cache_lines_apart),
        cmocka_unit_test(test_nobody_willing_is_nobodys_turn),
        cmocka_unit_test(test_the_fewest_connections_have_the_turn),
        cmocka_unit_test(test_of_equals_the_lowest_slot_has_the_turn),
        cmocka_unit_test(test_willingness_ends_with_its_moment),
        cmocka_unit_test(test_slots_beyond_the_workers_never_have_the_turn),
        cmocka_unit_test(test_a_cleared_slot_is_out_of_the_race_and_alone),
        cmocka_unit_test(test_it_serves_if_a_healthy_worker_is_there_and_none_refuses),
        cmocka_unit_test(test_from_outside_it_is_read_and_others_are_refused),
        cmocka_unit_test(test_each_slot_says_its_role),
        cmocka_unit_test(test_a_slot_that_does_not_exist_is_a_broken_promise),
        cmocka_unit_test(test_what_a_child_writes_everybody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
