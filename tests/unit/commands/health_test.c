/* health_test.c -- the exit codes of `health` where no adapter answers; what an adapter answers is
 * in tests/system/calls/test_health.py. */
#include "tests/unit/scratch.h"

#include <sysexits.h>

#include "commands/health.h"

/* Runs "health" with the arguments up to the first NULL. */
static int
run(const char *const *arguments)
{
    static char texts[8][128];
    char *argv[9] = {texts[0]};
    int argc = 1;
    (void)strcpy(texts[0], "health");
    for (; arguments[argc - 1] != NULL; argc++) {
        (void)snprintf(texts[argc], sizeof(texts[argc]), "%s", arguments[argc - 1]);
        argv[argc] = texts[argc];
    }
    return health_command(argc, argv);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void
test_nobody_there(void **state)
{
    const struct scratch *scratch = *state;
    char address[128];
    (void)snprintf(address, sizeof(address), "unix://%s/socket", scratch->path);
    assert_int_equal(RUN("--timeout-ms", "5000", address), EX_UNAVAILABLE);
}

static void
test_used_wrongly(void **state)
{
    (void)state;
    assert_int_equal(RUN("--nonsense"), EX_USAGE);
    assert_int_equal(RUN("--timeout-ms"), EX_USAGE);
    assert_int_equal(RUN("--timeout-ms", "0"), EX_USAGE);
    assert_int_equal(RUN("--timeout-ms", "600001"), EX_USAGE);
    assert_int_equal(RUN("a:1", "b:2"), EX_USAGE);
    assert_int_equal(RUN(""), EX_USAGE);
}

static void
test_help(void **state)
{
    (void)state;
    assert_int_equal(RUN("--help", "--timeout-ms", "0"), EXIT_SUCCESS);
    assert_int_equal(RUN("-h"), EXIT_SUCCESS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_there, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_used_wrongly),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
