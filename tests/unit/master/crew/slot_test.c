/* slot_test.c -- the state machine of a supervised process, driven by a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/settings.h"
#include "master/crew/rules.h"
#include "master/crew/slot.h"

#define EXIT_STATUS(code) ((code) << 8)
#define SIGNAL_STATUS(number) (number)

static const struct settings settings = {
    .workers_start_timeout_ms = 30000,
    .workers_stall_timeout_ms = 10000,
};

/* Made from them before the first test. */
static struct slot_rules worker_rules;
static struct slot_rules collector_rules;

static int
make_rules(void **state)
{
    (void)state;
    rules_make(&worker_rules, ROLE_WORKER, &settings);
    rules_make(&collector_rules, ROLE_COLLECTOR, &settings);
    return 0;
}

/* A slot and its fake clock. */
struct stage {
    struct slot slot;
    uint64_t now_ms;
    pid_t next_pid;
};

static struct stage
make_stage(const struct slot_rules *rules)
{
    struct stage stage = {.now_ms = 1000, .next_pid = 100};
    slot_init(&stage.slot, rules);
    assert_int_equal(stage.slot.state, SLOT_EMPTY);
    slot_start(&stage.slot, stage.now_ms);
    return stage;
}

static enum slot_action
tick(struct stage *stage)
{
    return slot_tick(&stage->slot, 0, stage->now_ms);
}

/* Waits for the slot to ask for a process, and forks it. Returns how long that took. */
static uint64_t
spawn(struct stage *stage)
{
    uint64_t waited_ms = 0;
    assert_int_equal(stage->slot.state, SLOT_BACKOFF);
    if (slot_deadline_ms(&stage->slot) > stage->now_ms) {
        waited_ms = slot_deadline_ms(&stage->slot) - stage->now_ms;
        assert_int_equal(tick(stage), SLOT_ACTION_NONE);
        stage->now_ms += waited_ms;
    }
    assert_int_equal(tick(stage), SLOT_ACTION_SPAWN);
    slot_spawned(&stage->slot, stage->next_pid++, 7, 0, stage->now_ms);
    assert_int_equal(stage->slot.state, SLOT_STARTING);
    return waited_ms;
}

static void
become_ready(struct stage *stage)
{
    assert_true(slot_ready(&stage->slot, stage->now_ms));
    assert_int_equal(stage->slot.state, SLOT_READY);
}

/* One life: spawned, READY, killed after `life_ms`. Returns how long the spawn was waited for. */
static uint64_t
live_and_die(struct stage *stage, uint64_t life_ms, bool veteran)
{
    uint64_t waited_ms = spawn(stage);
    become_ready(stage);
    stage->now_ms += life_ms;
    slot_exited(&stage->slot, SIGNAL_STATUS(SIGKILL), veteran, stage->now_ms);
    return waited_ms;
}

static uint64_t
die_at_start(struct stage *stage)
{
    uint64_t waited_ms = spawn(stage);
    slot_exited(&stage->slot, EXIT_STATUS(1), true, stage->now_ms);
    return waited_ms;
}

static void
test_starts_at_once(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    assert_int_equal(spawn(&stage), 0);
    assert_int_equal(stage.slot.pid, 100);
    assert_int_equal(stage.slot.incarnation, 7);
    assert_false(slot_is_healthy(&stage.slot));
    become_ready(&stage);
    assert_true(slot_is_healthy(&stage.slot));
    assert_false(slot_ready(&stage.slot, stage.now_ms));
}

static void
test_first_death_is_replaced_at_once(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    (void)live_and_die(&stage, 10, false);
    assert_int_equal(stage.slot.pid, 0);
    assert_int_equal(spawn(&stage), 0);
}

static void
test_backs_off_without_a_veteran(void **state)
{
    (void)state;
    static const uint64_t expected_ms[] = {0,    0,    100,   200,   400,   800,  1600,
                                           3200, 6400, 12800, 25600, 30000, 30000};
    struct stage stage = make_stage(&worker_rules);
    for (size_t i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++)
        assert_int_equal(live_and_die(&stage, 10, false), expected_ms[i]);
    assert_int_equal(stage.slot.state, SLOT_BACKOFF); /* one that serves never becomes FAILED */
}

static void
test_a_veteran_spares_the_back_off(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    for (int i = 0; i < 20; i++)
        assert_int_equal(live_and_die(&stage, 200, true), 0);
    assert_int_equal(live_and_die(&stage, 200, false), 0);
    assert_int_equal(live_and_die(&stage, 200, false), 100);
}

/* A worker that dies right after it became ready must not turn the master into a fork storm. */
static void
test_starts_of_one_slot_keep_their_distance(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    assert_int_equal(live_and_die(&stage, 5, true), 0);
    assert_int_equal(live_and_die(&stage, 5, true), 0);
    assert_int_equal(live_and_die(&stage, 5, true), RULES_SPACING_MS - 5);
    assert_int_equal(live_and_die(&stage, RULES_SPACING_MS, true), RULES_SPACING_MS - 5);
    assert_int_equal(spawn(&stage), 0);
}

static void
test_good_life_resets(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    for (int i = 0; i < 6; i++)
        (void)live_and_die(&stage, 10, false);
    assert_int_equal(live_and_die(&stage, RULES_GOOD_LIFE_MS - 1, false), 1600);
    assert_int_equal(live_and_die(&stage, RULES_GOOD_LIFE_MS, false), 3200);
    assert_int_equal(live_and_die(&stage, 10, false), 0);
    assert_int_equal(live_and_die(&stage, 10, false), 100);
}

static void
test_start_deaths_fail_the_slot(void **state)
{
    (void)state;
    static const uint64_t expected_ms[RULES_START_DEATHS_MAX] = {0, 100, 200, 400, 800, 1600};
    struct stage stage = make_stage(&worker_rules);
    for (size_t i = 0; i < RULES_START_DEATHS_MAX; i++)
        assert_int_equal(die_at_start(&stage), expected_ms[i]);
    assert_int_equal(stage.slot.state, SLOT_FAILED);
    assert_int_equal(slot_deadline_ms(&stage.slot), SLOT_NEVER);
    stage.now_ms += 1000000;
    assert_int_equal(tick(&stage), SLOT_ACTION_NONE);
}

static void
test_becoming_ready_forgets_start_deaths(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    for (int i = 0; i < RULES_START_DEATHS_MAX - 1; i++)
        (void)die_at_start(&stage);
    (void)live_and_die(&stage, 10, false);
    (void)die_at_start(&stage);
    assert_int_equal(stage.slot.state, SLOT_BACKOFF);
}

static void
test_sysexits_mean_do_not_respawn(void **state)
{
    (void)state;
    struct stage starting = make_stage(&worker_rules);
    (void)spawn(&starting);
    slot_exited(&starting.slot, EXIT_STATUS(64), true, starting.now_ms);
    assert_int_equal(starting.slot.state, SLOT_FAILED);

    struct stage ready = make_stage(&worker_rules);
    (void)spawn(&ready);
    become_ready(&ready);
    slot_exited(&ready.slot, EXIT_STATUS(78), true, ready.now_ms);
    assert_int_equal(ready.slot.state, SLOT_FAILED);

    assert_false(slot_status_is_final(EXIT_STATUS(63)));
    assert_false(slot_status_is_final(EXIT_STATUS(79)));
    assert_false(slot_status_is_final(SIGNAL_STATUS(70)));
}

static void
test_slow_start_is_killed(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    (void)spawn(&stage);
    stage.now_ms += 29999;
    assert_int_equal(tick(&stage), SLOT_ACTION_NONE);
    stage.now_ms += 1;
    assert_int_equal(slot_deadline_ms(&stage.slot), stage.now_ms);
    assert_int_equal(tick(&stage), SLOT_ACTION_KILL);
    assert_int_equal(stage.slot.doom, SLOT_DOOM_SLOW_START);
    assert_int_equal(tick(&stage), SLOT_ACTION_NONE); /* asked for once */
    assert_false(slot_ready(&stage.slot, stage.now_ms));
    slot_exited(&stage.slot, SIGNAL_STATUS(SIGKILL), true, stage.now_ms);
    assert_int_equal(stage.slot.start_deaths, 1);
    assert_int_equal(spawn(&stage), 100);
    assert_int_equal(stage.slot.doom, SLOT_DOOM_NONE);
}

static void
test_stalled_is_aborted_then_killed(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    (void)spawn(&stage);
    become_ready(&stage);
    stage.now_ms += 9000;
    assert_int_equal(slot_tick(&stage.slot, 1, stage.now_ms), SLOT_ACTION_NONE);
    stage.now_ms += 9999;
    assert_int_equal(slot_tick(&stage.slot, 1, stage.now_ms), SLOT_ACTION_NONE);
    stage.now_ms += 1;
    assert_int_equal(slot_tick(&stage.slot, 1, stage.now_ms), SLOT_ACTION_ABORT);
    assert_false(slot_is_healthy(&stage.slot));
    assert_int_equal(slot_deadline_ms(&stage.slot), stage.now_ms + RULES_ABORT_GRACE_MS);
    stage.now_ms += RULES_ABORT_GRACE_MS - 1;
    assert_int_equal(slot_tick(&stage.slot, 2, stage.now_ms), SLOT_ACTION_NONE);
    stage.now_ms += 1;
    assert_int_equal(slot_tick(&stage.slot, 2, stage.now_ms), SLOT_ACTION_KILL);
    assert_int_equal(stage.slot.doom, SLOT_DOOM_STALLED);
    assert_int_equal(slot_deadline_ms(&stage.slot), SLOT_NEVER);
    slot_exited(&stage.slot, SIGNAL_STATUS(SIGKILL), false, stage.now_ms);
    assert_int_equal(spawn(&stage), 0); /* it had served: the first death */
}

static void
test_drain(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    (void)spawn(&stage);
    become_ready(&stage);
    assert_true(slot_drain(&stage.slot, stage.now_ms + 15000));
    assert_int_equal(stage.slot.state, SLOT_DRAINING);
    stage.now_ms += 14999;
    assert_int_equal(tick(&stage), SLOT_ACTION_NONE); /* no heartbeat is asked of it any more */
    stage.now_ms += 1;
    assert_int_equal(tick(&stage), SLOT_ACTION_KILL);
    assert_int_equal(stage.slot.doom, SLOT_DOOM_SLOW_DRAIN);
    slot_exited(&stage.slot, SIGNAL_STATUS(SIGKILL), true, stage.now_ms);
    assert_int_equal(stage.slot.state, SLOT_EMPTY);
    assert_int_equal(tick(&stage), SLOT_ACTION_NONE);
}

static void
test_drain_of_one_that_starts(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    (void)spawn(&stage);
    assert_true(slot_drain(&stage.slot, stage.now_ms + 100000));
    assert_int_equal(slot_deadline_ms(&stage.slot), stage.now_ms + 100000);
    assert_false(slot_ready(&stage.slot, stage.now_ms));
    assert_int_equal(stage.slot.state, SLOT_DRAINING);
}

static void
test_second_drain_brings_the_end_forward(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    (void)spawn(&stage);
    become_ready(&stage);
    assert_true(slot_drain(&stage.slot, stage.now_ms + 15000));
    assert_true(slot_drain(&stage.slot, stage.now_ms + 1000));
    assert_true(slot_drain(&stage.slot, stage.now_ms + 20000));
    assert_int_equal(slot_deadline_ms(&stage.slot), stage.now_ms + 1000);
}

static void
test_drain_where_nothing_runs(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    assert_false(slot_drain(&stage.slot, stage.now_ms)); /* from BACKOFF */
    assert_int_equal(stage.slot.state, SLOT_EMPTY);
    assert_false(slot_drain(&stage.slot, stage.now_ms)); /* from EMPTY */
    slot_start(&stage.slot, stage.now_ms);
    (void)spawn(&stage);
    slot_exited(&stage.slot, EXIT_STATUS(70), true, stage.now_ms);
    assert_int_equal(stage.slot.state, SLOT_FAILED);
    assert_false(slot_drain(&stage.slot, stage.now_ms));
    assert_int_equal(tick(&stage), SLOT_ACTION_NONE);
}

static void
test_failed_fork_backs_off_and_is_no_death(void **state)
{
    (void)state;
    struct stage stage = make_stage(&worker_rules);
    uint64_t expected_ms = RULES_BACKOFF_MS_MIN;
    for (int i = 0; i < 8; i++) {
        slot_spawn_failed(&stage.slot, stage.now_ms);
        assert_int_equal(stage.slot.state, SLOT_BACKOFF);
        assert_int_equal(slot_deadline_ms(&stage.slot), stage.now_ms + expected_ms);
        stage.now_ms += expected_ms;
        expected_ms *= 2;
    }
    assert_int_equal(stage.slot.start_deaths, 0);
}

static void
test_collector_never_fails(void **state)
{
    (void)state;
    struct stage stage = make_stage(&collector_rules);
    uint64_t waited_ms = 0;
    for (int i = 0; i < 20; i++)
        waited_ms = die_at_start(&stage);
    assert_int_equal(stage.slot.state, SLOT_BACKOFF);
    assert_int_equal(waited_ms, RULES_BACKOFF_MS_MAX);

    struct stage final = make_stage(&collector_rules);
    (void)spawn(&final);
    slot_exited(&final.slot, EXIT_STATUS(78), false, final.now_ms);
    assert_int_equal(spawn(&final), RULES_BACKOFF_MS_MAX);
}

static void
test_collector_that_served_is_back_within_a_second(void **state)
{
    (void)state;
    struct stage stage = make_stage(&collector_rules);
    for (int i = 0; i < 20; i++)
        assert_true(live_and_die(&stage, 10, false) <= 1000);
}

/* What only a mistake of our own can ask for. */
static void
test_another_transition_is_a_broken_promise(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null_fd = open("/dev/null", O_WRONLY);
        (void)dup2(null_fd, STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        struct stage stage = make_stage(&worker_rules);
        (void)spawn(&stage);
        become_ready(&stage);
        slot_spawned(&stage.slot, 4711, 8, 0, stage.now_ms); /* a second process in the slot */
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_at_once),
        cmocka_unit_test(test_first_death_is_replaced_at_once),
        cmocka_unit_test(test_backs_off_without_a_veteran),
        cmocka_unit_test(test_a_veteran_spares_the_back_off),
        cmocka_unit_test(test_starts_of_one_slot_keep_their_distance),
        cmocka_unit_test(test_good_life_resets),
        cmocka_unit_test(test_start_deaths_fail_the_slot),
        cmocka_unit_test(test_becoming_ready_forgets_start_deaths),
        cmocka_unit_test(test_sysexits_mean_do_not_respawn),
        cmocka_unit_test(test_slow_start_is_killed),
        cmocka_unit_test(test_stalled_is_aborted_then_killed),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_of_one_that_starts),
        cmocka_unit_test(test_second_drain_brings_the_end_forward),
        cmocka_unit_test(test_drain_where_nothing_runs),
        cmocka_unit_test(test_failed_fork_backs_off_and_is_no_death),
        cmocka_unit_test(test_collector_never_fails),
        cmocka_unit_test(test_collector_that_served_is_back_within_a_second),
        cmocka_unit_test(test_another_transition_is_a_broken_promise),
    };
    return cmocka_run_group_tests(tests, make_rules, NULL);
}
