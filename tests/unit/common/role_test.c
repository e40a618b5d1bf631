/* role_test.c -- each role and each state of a process has a name that people can tell from
 * others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/role.h"
#include "common/slot_state.h"

/* prctl(PR_SET_NAME) cuts what is longer. */
#define PROCESS_NAME_LENGTH_MAX 15

static void
test_names_differ(void **state)
{
    (void)state;
    for (enum role role = 0; role < ROLES; role++) {
        assert_true(strlen(role_process_name(role)) <= PROCESS_NAME_LENGTH_MAX);
        for (enum role other = 0; other < role; other++) {
            assert_string_not_equal(role_name(role), role_name(other));
            assert_string_not_equal(role_process_name(role), role_process_name(other));
        }
    }
    for (uint32_t slot_state = 0; slot_state < SLOT_STATES; slot_state++) {
        for (uint32_t other = 0; other < slot_state; other++)
            assert_string_not_equal(slot_state_name(slot_state), slot_state_name(other));
    }
}

/* The scoreboard of another process is read without belief. */
static void
test_numbers_that_name_nothing(void **state)
{
    (void)state;
    assert_string_equal(role_name(ROLES), "unknown");
    assert_string_equal(role_name((enum role)UINT32_MAX), "unknown");
    assert_string_equal(slot_state_name(SLOT_STATES), "unknown");
    assert_string_equal(slot_state_name(UINT32_MAX), "unknown");
}

static void
test_only_workers_are_several(void **state)
{
    (void)state;
    assert_true(role_is_numbered(ROLE_WORKER));
    assert_false(role_is_numbered(ROLE_COLLECTOR));
    assert_false(role_is_numbered(ROLE_ADMIN));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_numbers_that_name_nothing),
        cmocka_unit_test(test_only_workers_are_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
