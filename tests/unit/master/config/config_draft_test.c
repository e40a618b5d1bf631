/* config_draft_test.c -- the rules as they are: their names, their defaults, and where a value
 * was given. */
#include "tests/unit/scratch.h"

#include <sysexits.h>

#include "base/complaint.h"
#include "master/config/config.h"
#include "master/config/config_draft.h"
#include "master/config/config_value.h"
#include "master/validators.h"

static int
begin(void **state)
{
    struct complaint complaint;
    struct config_draft *draft = calloc(1, sizeof(*draft));
    assert_non_null(draft);
    assert_int_equal(config_draft_begin(draft, &master_validators, &complaint), 0);
    *state = draft;
    return 0;
}

static int
end(void **state)
{
    struct config_draft *draft = *state;
    config_draft_end(draft);
    config_free(&draft->settings);
    free(draft);
    return 0;
}

/* A place from malloc(), for the draft to own. */
static char *
place(const char *string)
{
    char *copy = strdup(string);
    assert_non_null(copy);
    return copy;
}

static void
test_rules_are_found_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++)
        assert_ptr_equal(config_rule_find(config_rules[i].name), &config_rules[i]);
    assert_ptr_equal(config_rule_find("listen.port"), &config_rules[CONFIG_RULE_listen_port]);
    static const char *const none[] = {"",     "listen",       "listen.",
                                       "port", "listen.port2", "Listen.port"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_null(config_rule_find(none[i]));
}

static void
test_groups(void **state)
{
    (void)state;
    assert_true(config_group_is_known("listen") && config_group_is_known("log"));
    assert_false(config_group_is_known("") || config_group_is_known("lis"));
    assert_false(config_group_is_known("listen.") || config_group_is_known("port"));
}

/* The members of a group stand together: else -t would print the group twice. */
static void
test_groups_are_whole(void **state)
{
    (void)state;
    for (size_t i = 1; i < CONFIG_RULE_COUNT; i++) {
        const char *name = config_rules[i].name;
        size_t length = strcspn(name, ".") + 1;
        bool begins = strncmp(name, config_rules[i - 1].name, length) != 0;
        for (size_t before = 0; begins && before < i; before++)
            assert_int_not_equal(strncmp(name, config_rules[before].name, length), 0);
    }
}

/* Each choice has a name, and each text a validator, that takes the default. */
static void
test_rules_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        const struct config_rule *rule = &config_rules[i];
        assert_true(rule->about[0] != '\0');
        for (unsigned choice = 0; choice < rule->choice_count; choice++)
            assert_non_null(rule->choices[choice]);
        if (rule->kind == CONFIG_TEXT) {
            assert_non_null(master_validators.refusal[rule->shape]);
            assert_null(master_validators.refusal[rule->shape](rule->text_default));
        }
        if (rule->kind == CONFIG_CHOICE)
            assert_true(rule->number_default < rule->choice_count);
    }
}

static void
test_the_place_is_that_of_the_value_in_effect(void **state)
{
    struct config_draft *draft = *state;
    struct complaint complaint;
    struct config_given given = {.form = CONFIG_FORM_NUMBER, .number = 1};
    assert_false(config_draft_is_given(draft, CONFIG_RULE_listen_port));
    assert_string_equal(config_draft_place(draft, CONFIG_RULE_listen_port), "listen.port");
    assert_int_equal(config_draft_set(draft, "listen.port", &given, place("one"), &complaint), 0);
    assert_string_equal(config_draft_place(draft, CONFIG_RULE_listen_port), "one");
    given.number = 2;
    assert_int_equal(config_draft_set(draft, "listen.port", &given, place("two"), &complaint), 0);
    assert_true(config_draft_is_given(draft, CONFIG_RULE_listen_port));
    assert_string_equal(config_draft_place(draft, CONFIG_RULE_listen_port), "two");
    given.number = 65536;
    assert_int_equal(config_draft_set(draft, "listen.port", &given, place("three"), &complaint),
                     EX_CONFIG);
    assert_string_equal(complaint.text, "three: 65536 is out of range (0 to 65535)");
    assert_string_equal(config_draft_place(draft, CONFIG_RULE_listen_port), "two");
    assert_int_equal(draft->settings.listen_port, 2);
    assert_false(config_draft_is_given(draft, CONFIG_RULE_listen_backlog));
}

static void
test_refusals(void **state)
{
    struct config_draft *draft = *state;
    struct complaint complaint;
    const struct config_given given = {.form = CONFIG_FORM_STRING, .string = "relative"};
    const struct config_given other = {.form = CONFIG_FORM_OTHER};
    assert_int_equal(config_draft_set(draft, "output.root", &given, place("x"), &complaint),
                     EX_CONFIG);
    assert_string_equal(complaint.text, "x: \"relative\" is not an absolute path");
    assert_int_equal(config_draft_set(draft, "output.root", &other, place("x"), &complaint),
                     EX_CONFIG);
    assert_string_equal(complaint.text, "x: must be a string");
    assert_int_equal(config_draft_set(draft, "output.roof", &given, place("x"), &complaint),
                     EX_CONFIG);
    assert_string_equal(complaint.text, "x: unknown setting");
    assert_string_equal(draft->settings.output_root, "/volume");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_are_found_by_name),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_groups_are_whole),
        cmocka_unit_test(test_rules_are_whole),
        TEST(test_the_place_is_that_of_the_value_in_effect),
        TEST(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
