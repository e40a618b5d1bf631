/* rules_test.c -- what the roles have in common, and in what they differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/settings.h"
#include "master/crew/rules.h"
#include "master/crew/slot.h"

static const struct settings settings = {
    .workers_start_timeout_ms = 7000,
    .workers_stall_timeout_ms = 3000,
};

static struct slot_rules
make(enum role role)
{
    struct slot_rules rules;
    rules_make(&rules, role, &settings);
    return rules;
}

static void
test_settings_count_for_all(void **state)
{
    (void)state;
    for (enum role role = 0; role < ROLES; role++) {
        struct slot_rules rules = make(role);
        assert_int_equal(rules.start_limit_ms, 7000);
        assert_true(rules.stall_limit_ms >= 3000);
        assert_int_equal(rules.backoff_ms_max, RULES_BACKOFF_MS_MAX);
        assert_true(rules.backoff_ms_min > 0 && rules.backoff_ms_min <= rules.ready_backoff_ms_max);
        assert_true(rules.ready_backoff_ms_max <= rules.backoff_ms_max);
    }
}

static void
test_roles_differ(void **state)
{
    (void)state;
    assert_true(make(ROLE_WORKER).may_fail);
    assert_false(make(ROLE_COLLECTOR).may_fail);
    assert_false(make(ROLE_ADMIN).may_fail);
    assert_int_equal(make(ROLE_WORKER).stall_limit_ms, 3000);
    assert_int_equal(make(ROLE_COLLECTOR).stall_limit_ms, 18000);
    assert_int_equal(make(ROLE_WORKER).ready_backoff_ms_max, 30000);
    assert_int_equal(make(ROLE_COLLECTOR).ready_backoff_ms_max, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_count_for_all),
        cmocka_unit_test(test_roles_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
