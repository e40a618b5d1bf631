/* refusal_causes_test.c -- the causes for which calls are refused have labels that can be told
 * apart, and README.md's table is made of their rows. Runs in the root of the repository. */
#include "tests/unit/scratch.h"

#include "common/refusal_causes.h"

static void
test_every_cause_has_a_label_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REFUSAL_CAUSE_COUNT; i++) {
        const char *label = refusal_cause_label((enum refusal_cause)i);
        assert_non_null(label);
        assert_int_equal(strspn(label, "abcdefghijklmnopqrstuvwxyz_"), strlen(label));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(label, refusal_cause_label((enum refusal_cause)j));
    }
}

static void
test_the_readme_has_each_row_in_its_order(void **state)
{
    (void)state;
    static const char *const rows[] = {
#define ROW(name, status, label, when) "\n| " #status " | `" label "` | " when " |\n",
        REFUSAL_CAUSES(ROW)
#undef ROW
    };
    struct scratch here = {.fd = AT_FDCWD};
    char *readme = scratch_get(&here, "README.md", NULL);
    assert_non_null(readme);
    const char *at = readme;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found = strstr(at, rows[i]);
        if (found == NULL)
            fail_msg("README.md has not, or not in its place:%s", rows[i]);
        else
            at = found + 1;
    }
    free(readme);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cause_has_a_label_of_its_own),
        cmocka_unit_test(test_the_readme_has_each_row_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
