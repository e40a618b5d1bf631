/* scoreboard_test.c -- whose turn it is to accept, and how many different destinations there
 * may be, also when several processes ask at once. */
#include "scratch.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/scoreboard.h"

#define NOW_MS 5000U
#define CHILDREN 4U
#define SHARED_HASHES 2000U

static struct scoreboard *
open_scoreboard(uint32_t slots, uint32_t destinations)
{
    struct scoreboard *scoreboard = NULL;
    assert_int_equal(scoreboard_open(&scoreboard, slots, destinations), 0);
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
    struct scoreboard *scoreboard = open_scoreboard(SCOREBOARD_WORKERS_MAX + 1, 1000);
    assert_int_equal(scoreboard->slot_count, SCOREBOARD_WORKERS_MAX + 1);
    assert_int_equal(scoreboard->destination_count_max, 1000);
    assert_int_equal(atomic_load(&scoreboard->segments_changed), 0);
    assert_int_equal(atomic_load(&scoreboard->collector_sleeps), 0);
    for (uint32_t i = 0; i < scoreboard->slot_count; i++) {
        assert_int_equal(atomic_load(&scoreboard->slots[i].heartbeat), 0);
        assert_int_equal(atomic_load(&scoreboard->slots[i].connections), 0);
        assert_int_equal(atomic_load(&scoreboard->slots[i].willing_until_ms), 0);
        assert_int_equal(atomic_load(&scoreboard->slots[i].calls), 0);
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&scoreboard->destinations[i]), 0);
    scoreboard_close(&scoreboard);
    assert_null(scoreboard);
    scoreboard_close(&scoreboard);
}

static void
test_slots_are_cache_lines_apart_and_clear_of_the_destinations(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3, 5);
    uintptr_t first = (uintptr_t)&scoreboard->slots[0];
    uintptr_t second = (uintptr_t)&scoreboard->slots[1];
    assert_int_equal(first % SCOREBOARD_LINE_BYTES, 0);
    assert_int_equal((second - first) % SCOREBOARD_LINE_BYTES, 0);
    assert_true((uintptr_t)scoreboard->destinations >= (uintptr_t)&scoreboard->slots[3]);
    for (uint64_t hash = 1; hash <= 5; hash++)
        assert_true(scoreboard_admit_destination(scoreboard, hash));
    assert_int_equal(atomic_load(&scoreboard->slots[2].heartbeat), 0);
    assert_int_equal(atomic_load(&scoreboard->slots[2].calls), 0);
    scoreboard_close(&scoreboard);
}

static void
test_nobody_willing_is_nobodys_turn(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(4, 1);
    assert_int_equal(scoreboard_turn(scoreboard, 0, NOW_MS), UINT32_MAX);
    assert_int_equal(scoreboard_turn(scoreboard, 4, NOW_MS), UINT32_MAX);
    scoreboard_close(&scoreboard);
}

static void
test_the_fewest_connections_have_the_turn(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(4, 1);
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
    struct scoreboard *scoreboard = open_scoreboard(4, 1);
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
    struct scoreboard *scoreboard = open_scoreboard(2, 1);
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
    struct scoreboard *scoreboard = open_scoreboard(3, 1);
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
    struct scoreboard *scoreboard = open_scoreboard(3, 1);
    for (uint32_t slot = 0; slot < 3; slot++)
        set_slot(scoreboard, slot, 10 + slot, NOW_MS + 1);
    scoreboard_clear_slot(scoreboard, 0);
    assert_int_equal(atomic_load(&scoreboard->slots[0].connections), 0);
    assert_int_equal(atomic_load(&scoreboard->slots[0].willing_until_ms), 0);
    assert_int_equal(scoreboard_turn(scoreboard, 3, NOW_MS), 1);
    assert_int_equal(atomic_load(&scoreboard->slots[1].connections), 11);
    assert_int_equal(atomic_load(&scoreboard->slots[2].willing_until_ms), NOW_MS + 1);
    scoreboard_close(&scoreboard);
}

static void
test_a_slot_that_does_not_exist_is_a_broken_promise(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(3, 1);
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
    struct scoreboard *scoreboard = open_scoreboard(2, 3);
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        set_slot(scoreboard, 1, 4, NOW_MS + 1);
        _exit(scoreboard_admit_destination(scoreboard, 77) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(atomic_load(&scoreboard->slots[1].connections), 4);
    assert_int_equal(scoreboard_turn(scoreboard, 2, NOW_MS), 1);
    assert_int_equal(atomic_load(&scoreboard->destinations[77 % 3]), 77);
    scoreboard_close(&scoreboard);
}

static uint32_t
places_taken(const struct scoreboard *scoreboard)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < scoreboard->destination_count_max; i++)
        taken += atomic_load(&scoreboard->destinations[i]) != 0 ? 1 : 0;
    return taken;
}

static void
test_a_known_destination_is_admitted_again_and_takes_no_more_room(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(1, 10);
    for (int again = 0; again < 5; again++) {
        assert_true(scoreboard_admit_destination(scoreboard, 0x123456789abcdefULL));
        assert_true(scoreboard_admit_destination(scoreboard, UINT64_MAX));
    }
    assert_int_equal(places_taken(scoreboard), 2);
    scoreboard_close(&scoreboard);
}

static void
test_one_more_than_the_limit_is_refused_and_the_known_stay_welcome(void **state)
{
    (void)state;
    const uint32_t max = 7;
    struct scoreboard *scoreboard = open_scoreboard(1, max);
    for (uint64_t i = 1; i <= max; i++)
        assert_true(scoreboard_admit_destination(scoreboard, i * 0x9e3779b97f4a7c15ULL));
    assert_false(scoreboard_admit_destination(scoreboard, 42));
    assert_false(scoreboard_admit_destination(scoreboard, 42));
    for (uint64_t i = 1; i <= max; i++)
        assert_true(scoreboard_admit_destination(scoreboard, i * 0x9e3779b97f4a7c15ULL));
    assert_int_equal(places_taken(scoreboard), max);
    scoreboard_close(&scoreboard);
}

static void
test_hashes_that_share_a_place_are_different_destinations(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(1, 5);
    for (uint64_t i = 0; i < 5; i++)
        assert_true(scoreboard_admit_destination(scoreboard, 4 + 5 * i)); /* wraps around the end */
    assert_false(scoreboard_admit_destination(scoreboard, 4 + 5 * 5));
    for (uint64_t i = 0; i < 5; i++)
        assert_true(scoreboard_admit_destination(scoreboard, 4 + 5 * i));
    assert_int_equal(places_taken(scoreboard), 5);
    scoreboard_close(&scoreboard);
}

static void
test_hash_zero_counts_like_any_other(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(1, 2);
    assert_true(scoreboard_admit_destination(scoreboard, 0));
    assert_int_equal(places_taken(scoreboard), 1);
    assert_true(scoreboard_admit_destination(scoreboard, 0));
    assert_int_equal(places_taken(scoreboard), 1);
    assert_true(scoreboard_admit_destination(scoreboard, 1000));
    assert_false(scoreboard_admit_destination(scoreboard, 1001));
    assert_true(scoreboard_admit_destination(scoreboard, 0));
    scoreboard_close(&scoreboard);

    scoreboard = open_scoreboard(1, 1);
    assert_true(scoreboard_admit_destination(scoreboard, 1000));
    assert_false(scoreboard_admit_destination(scoreboard, 0));
    scoreboard_close(&scoreboard);
}

static void
test_no_places_admit_nobody(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = open_scoreboard(1, 0);
    assert_false(scoreboard_admit_destination(scoreboard, 0));
    assert_false(scoreboard_admit_destination(scoreboard, 12345));
    scoreboard_close(&scoreboard);
}

/* What the children of one test share, beside the scoreboard. */
struct race {
    _Atomic uint32_t ready;
    _Atomic uint32_t admitted[SHARED_HASHES]; /* by how many children */
};

static uint64_t
hash_of(uint32_t i)
{
    return (uint64_t)(i + 1) * 0x9e3779b97f4a7c15ULL;
}

/* One child: waits for the others, then asks for every hash, from a place of its own on. */
static void
run_racer(struct scoreboard *scoreboard, struct race *race, uint32_t child)
{
    atomic_fetch_add(&race->ready, 1);
    while (atomic_load(&race->ready) < CHILDREN)
        ;
    for (uint32_t i = 0; i < SHARED_HASHES; i++) {
        uint32_t which = (i + child * 7) % SHARED_HASHES;
        if (scoreboard_admit_destination(scoreboard, hash_of(which)))
            atomic_fetch_add(&race->admitted[which], 1);
    }
    _exit(0);
}

static void
run_race(struct scoreboard *scoreboard, struct race *race)
{
    pid_t children[CHILDREN];
    for (uint32_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            run_racer(scoreboard, race, i);
    }
    for (uint32_t i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

/* How many places hold that hash. */
static uint32_t
places_of(const struct scoreboard *scoreboard, uint64_t hash)
{
    uint32_t places = 0;
    for (uint32_t i = 0; i < scoreboard->destination_count_max; i++)
        places += atomic_load(&scoreboard->destinations[i]) == hash ? 1 : 0;
    return places;
}

static void
race_for_places(uint32_t places)
{
    struct scoreboard *scoreboard = open_scoreboard(CHILDREN, places);
    struct race *race =
        mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(race != MAP_FAILED);
    run_race(scoreboard, race);
    uint32_t admitted = 0;
    for (uint32_t i = 0; i < SHARED_HASHES; i++) {
        uint32_t by = atomic_load(&race->admitted[i]);
        assert_int_equal(places_of(scoreboard, hash_of(i)), by > 0 ? 1 : 0);
        assert_int_equal(scoreboard_admit_destination(scoreboard, hash_of(i)), by > 0);
        admitted += by > 0 ? 1 : 0;
        if (places >= SHARED_HASHES)
            assert_int_equal(by, CHILDREN);
    }
    assert_int_equal(admitted, places < SHARED_HASHES ? places : SHARED_HASHES);
    assert_int_equal(places_taken(scoreboard), admitted);
    (void)munmap(race, sizeof(*race));
    scoreboard_close(&scoreboard);
}

static void
test_several_processes_admit_exactly_as_many_as_there_is_room_for(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        race_for_places(600);
        race_for_places(SHARED_HASHES);
        race_for_places(SHARED_HASHES + 13);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_scoreboard_is_empty),
        cmocka_unit_test(test_slots_are_cache_lines_apart_and_clear_of_the_destinations),
        cmocka_unit_test(test_nobody_willing_is_nobodys_turn),
        cmocka_unit_test(test_the_fewest_connections_have_the_turn),
        cmocka_unit_test(test_of_equals_the_lowest_slot_has_the_turn),
        cmocka_unit_test(test_willingness_ends_with_its_moment),
        cmocka_unit_test(test_slots_beyond_the_workers_never_have_the_turn),
        cmocka_unit_test(test_a_cleared_slot_is_out_of_the_race_and_alone),
        cmocka_unit_test(test_a_slot_that_does_not_exist_is_a_broken_promise),
        cmocka_unit_test(test_what_a_child_writes_everybody_reads),
        cmocka_unit_test(test_a_known_destination_is_admitted_again_and_takes_no_more_room),
        cmocka_unit_test(test_one_more_than_the_limit_is_refused_and_the_known_stay_welcome),
        cmocka_unit_test(test_hashes_that_share_a_place_are_different_destinations),
        cmocka_unit_test(test_hash_zero_counts_like_any_other),
        cmocka_unit_test(test_no_places_admit_nobody),
        cmocka_unit_test(test_several_processes_admit_exactly_as_many_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
