/* process_limits_test.c -- which settings are too much for the limits, to the last descriptor. */
#include "tests/unit/capture.h"
#include "tests/unit/ending.h"

#include <stdbool.h>

#include "base/complaint.h"
#include "common/settings.h"
#include "master/process_limits.h"

/* What a process needs with one worker: without connections and outputs, and with one
 * connection. */
#define BASE 50U
#define NEEDED (BASE + 2U)

#define MIB ((rlim_t)1 << 20)

static const struct settings settings = {.workers_count = 1,
                                         .workers_max_connections = 100,
                                         .output_max_files = 10,
                                         .segments_size_bytes = 16 << 20};

struct limit {
    int resource;
    rlim_t value;
};

/* In a child: a hard limit is not to be had back. */
static void
lower(const struct limit *limit)
{
    const struct rlimit both = {limit->value, limit->value};
    if (setrlimit((__rlimit_resource_t)limit->resource, &both) != 0)
        _exit(1);
}

static void
check(void *context)
{
    struct complaint complaint;
    lower(context);
    _exit(process_limits_check(&settings, &complaint));
}

static void
warn(void *context)
{
    lower(context);
    process_limits_warn(&settings);
    _exit(0);
}

static void
test_a_process_that_cannot_work_is_refused(void **state)
{
    (void)state;
    struct limit limit = {RLIMIT_NOFILE, NEEDED - 1};
    assert_int_equal(ending_exit_code((struct ending[]){ending_of(check, &limit)}), 78);
    limit.value = NEEDED;
    assert_int_equal(ending_exit_code((struct ending[]){ending_of(check, &limit)}), 0);
}

static void
expect_warning(const struct limit *limit, const char *part, bool expected)
{
    struct limit copy = *limit;
    struct ending ending = ending_of(warn, &copy);
    assert_int_equal(ending_exit_code(&ending), 0);
    if (expected)
        capture_expect(ending.text, part);
    else
        assert_null(strstr(ending.text, part));
}

static void
test_settings_that_cannot_be_reached(void **state)
{
    (void)state;
    const struct limit enough = {RLIMIT_NOFILE, BASE + 200};
    const struct limit low = {RLIMIT_NOFILE, BASE + 199};
    const struct limit lower_still = {RLIMIT_NOFILE, BASE + 19};
    expect_warning(&enough, "RLIMIT_NOFILE", false);
    expect_warning(&low,
                   "setting=workers.max_connections value=100 limit=249 needed=250 "
                   "possible=99",
                   true);
    expect_warning(&low, "output.max_files", false);
    expect_warning(&lower_still, "setting=output.max_files value=10 limit=69 needed=70 possible=9",
                   true);
}

static void
test_a_limit_on_the_size_of_files(void **state)
{
    (void)state;
    const struct limit large = {RLIMIT_FSIZE, 64 * MIB};
    const struct limit small = {RLIMIT_FSIZE, 20 * MIB};
    const struct limit tiny = {RLIMIT_FSIZE, MIB};
    expect_warning(&large, "consequence=-", true);
    expect_warning(&small, "no output is written", true);
    expect_warning(&tiny, "calls are refused", true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process_that_cannot_work_is_refused),
        cmocka_unit_test(test_settings_that_cannot_be_reached),
        cmocka_unit_test(test_a_limit_on_the_size_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
