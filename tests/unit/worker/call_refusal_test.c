/* call_refusal_test.c -- a refusal holds its cause and its text, and errors of the system have the
 * cause that they are. */
#include "tests/unit/scratch.h"

#include "worker/call_refusal.h"

static void
test_it_holds_cause_and_text(void **state)
{
    (void)state;
    struct call_refusal refusal;
    assert_false(call_refuse(&refusal, REFUSAL_MAX_FILES, "%d of %s", 7, "those"));
    assert_int_equal(refusal.cause, REFUSAL_MAX_FILES);
    assert_string_equal(refusal.text, "7 of those");
}

static void
test_a_text_too_long_is_cut(void **state)
{
    (void)state;
    struct call_refusal refusal;
    char text[CALL_REFUSAL_TEXT_BYTES + 10];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(call_refuse(&refusal, REFUSAL_SYSTEM, "%s", text));
    text[CALL_REFUSAL_TEXT_BYTES - 1] = '\0';
    assert_string_equal(refusal.text, text);
}

/* A quota is of the volume and no limit of ours; memory that is short makes no call too large. */
static void
test_errors_of_the_system_have_causes(void **state)
{
    (void)state;
    assert_int_equal(call_refusal_cause_of_error(-ENOSPC), REFUSAL_VOLUME_FULL);
    assert_int_equal(call_refusal_cause_of_error(-EDQUOT), REFUSAL_VOLUME_FULL);
    assert_int_equal(call_refusal_cause_of_error(-EFBIG), REFUSAL_TOO_LARGE);
    assert_int_equal(call_refusal_cause_of_error(-ENOMEM), REFUSAL_NO_MEMORY);
    assert_int_equal(call_refusal_cause_of_error(-ENOENT), REFUSAL_SYSTEM);
    assert_int_equal(call_refusal_cause_of_error(-EIO), REFUSAL_SYSTEM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_holds_cause_and_text),
        cmocka_unit_test(test_a_text_too_long_is_cut),
        cmocka_unit_test(test_errors_of_the_system_have_causes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
