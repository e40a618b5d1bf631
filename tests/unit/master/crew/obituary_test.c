/* obituary_test.c -- the line about a child that ended, word for word. */
#include "tests/unit/capture.h"

#include <signal.h>

#include "master/crew/obituary.h"

#define EXIT_STATUS(code) ((code) << 8)
#define CORE_FLAG 0x80

static void
expect_line(const struct obituary *obituary, const char *level, const char *line)
{
    struct capture capture;
    capture_begin(&capture);
    obituary_write(obituary);
    char *text = capture_end(&capture);
    capture_expect(text, level);
    capture_expect(text, line);
    free(text);
}

static void
test_told_to_end(void **state)
{
    (void)state;
    const struct obituary obituary = {
        .role = ROLE_WORKER,
        .slot = 3,
        .pid = 4711,
        .incarnation = 17,
        .age_ms = 900,
        .draining = true,
        .next_state = SLOT_EMPTY,
    };
    expect_line(&obituary, " info ",
                "worker ended slot=3 child_pid=4711 incarnation=17 exit_code=0 "
                "draining=yes age_ms=900 connections=0\n");
}

static void
test_killed_by_us(void **state)
{
    (void)state;
    const struct obituary obituary = {
        .role = ROLE_COLLECTOR,
        .slot = 4,
        .pid = 4712,
        .status = SIGABRT | CORE_FLAG,
        .doom = SLOT_DOOM_STALLED,
        .next_state = SLOT_BACKOFF,
        .next_in_ms = 250,
    };
    expect_line(&obituary, " warning ",
                "collector ended slot=4 child_pid=4712 incarnation=0 signal=SIGABRT core=yes "
                "killed_because=stalled draining=no age_ms=0 connections=0 "
                "next=\"respawn in 250 ms\"\n");
}

static void
test_what_comes_next(void **state)
{
    (void)state;
    struct obituary obituary = {
        .role = ROLE_ADMIN, .pid = 4713, .status = EXIT_STATUS(78), .next_state = SLOT_FAILED};
    expect_line(&obituary, " error ", "next=\"given up\"\n");
    obituary.next_state = SLOT_BACKOFF;
    expect_line(&obituary, " warning ", "next=\"respawn now\"\n");
    obituary.draining = true; /* told to end, but it failed at it */
    obituary.next_state = SLOT_EMPTY;
    expect_line(&obituary, " warning ", "exit_code=78");
}

static void
test_of_the_program_before(void **state)
{
    (void)state;
    const struct obituary obituary = {
        .role = ROLE_WORKER,
        .is_old = true,
        .pid = 4714,
        .status = SIGKILL,
        .doom = SLOT_DOOM_SLOW_DRAIN,
        .draining = true,
    };
    expect_line(&obituary, "old worker ended", "killed_because=\"took too long to end\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_to_end),
        cmocka_unit_test(test_killed_by_us),
        cmocka_unit_test(test_what_comes_next),
        cmocka_unit_test(test_of_the_program_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
