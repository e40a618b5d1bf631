/* config_value_test.c -- one value under rules of the test's own: each kind in each form, at
 * its bounds. */
#include "tests/unit/ending.h"
#include "tests/unit/scratch.h"

#include <sysexits.h>

#include "base/complaint.h"
#include "common/settings.h"
#include "master/config/config_table.h"
#include "master/config/config_value.h"

static const struct config_rule number = {
    .name = "g.number",
    .kind = CONFIG_NUMBER,
    .offset = offsetof(struct settings, listen_port),
    .number_default = 7,
    .number_min = -5,
    .number_max = INT64_C(5000000000),
};

static const struct config_rule text = {
    .name = "g.text",
    .kind = CONFIG_TEXT,
    .offset = offsetof(struct settings, output_root),
    .text_default = "a default",
};

static const struct config_rule choice = {
    .name = "g.choice",
    .kind = CONFIG_CHOICE,
    .offset = offsetof(struct settings, log_level),
    .number_default = LOG_LEVEL_INFO,
    .choices = log_level_names,
    .choice_count = LOG_LEVELS,
};

static const struct config_rule mode = {
    .name = "g.mode",
    .kind = CONFIG_MODE,
    .offset = offsetof(struct settings, output_mode),
    .number_default = 0640,
};

static const struct config_rule *const rules[] = {&number, &text, &choice, &mode};

static struct settings settings;

static int
set(const struct config_rule *rule, enum config_form form, const char *string, int64_t value,
    struct complaint *complaint)
{
    const struct config_given given = {.form = form, .number = value, .string = string};
    complaint->text[0] = '\0';
    return config_value_set(&settings, rule, &given, "here", complaint);
}

static void
assert_set(const struct config_rule *rule, enum config_form form, const char *string, int64_t value)
{
    struct complaint complaint;
    int result = set(rule, form, string, value, &complaint);
    assert_string_equal(complaint.text, "");
    assert_int_equal(result, 0);
}

static void
assert_refused(const struct config_rule *rule, enum config_form form, const char *string,
               int64_t value, const char *expected)
{
    struct complaint complaint;
    assert_int_equal(set(rule, form, string, value, &complaint), EX_CONFIG);
    assert_string_equal(complaint.text, expected);
}

/* What is printed of the value. */
static void
assert_printed(const struct config_rule *rule, const char *expected)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    assert_non_null(stream);
    config_value_print(&settings, rule, stream);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(printed, expected);
    free(printed);
}

static int
set_defaults(void **state)
{
    (void)state;
    struct complaint complaint;
    memset(&settings, 0, sizeof(settings));
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        assert_int_equal(config_value_set_default(&settings, rules[i], &complaint), 0);
    return 0;
}

static int
clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        config_value_clear(&settings, rules[i]);
    return settings.output_root == NULL ? 0 : -1;
}

static void
test_defaults(void **state)
{
    (void)state;
    assert_printed(&number, "7");
    assert_printed(&text, "\"a default\"");
    assert_printed(&choice, "\"info\"");
    assert_printed(&mode, "\"0640\"");
}

static void
test_numbers(void **state)
{
    (void)state;
    assert_set(&number, CONFIG_FORM_NUMBER, NULL, -5);
    assert_printed(&number, "-5");
    assert_set(&number, CONFIG_FORM_NUMBER, NULL, INT64_C(5000000000));
    assert_printed(&number, "5000000000L");
    assert_set(&number, CONFIG_FORM_WORD, "2147483647", 0);
    assert_printed(&number, "2147483647");
    assert_set(&number, CONFIG_FORM_WORD, "2147483648", 0);
    assert_printed(&number, "2147483648L");
    assert_refused(&number, CONFIG_FORM_NUMBER, NULL, -6,
                   "here: -6 is out of range (-5 to 5000000000)");
    assert_refused(&number, CONFIG_FORM_WORD, "5000000001", 0,
                   "here: 5000000001 is out of range (-5 to 5000000000)");
    assert_refused(&number, CONFIG_FORM_WORD, "1.0", 0, "here: must be an integer");
    assert_refused(&number, CONFIG_FORM_WORD, "", 0, "here: must be an integer");
    assert_refused(&number, CONFIG_FORM_STRING, "1", 0, "here: must be an integer");
    assert_refused(&number, CONFIG_FORM_OTHER, NULL, 0, "here: must be an integer");
    assert_printed(&number, "2147483648L"); /* what was refused has changed nothing */
}

static void
test_texts_are_copied_and_quoted_for_libconfig(void **state)
{
    (void)state;
    char word[] = "a\"b\\c\n\x7f\xc3\xa9";
    assert_set(&text, CONFIG_FORM_STRING, word, 0);
    word[0] = 'x';
    assert_printed(&text, "\"a\\\"b\\\\c\\x0A\\x7F\xc3\xa9\"");
    assert_set(&text, CONFIG_FORM_WORD, "", 0);
    assert_printed(&text, "\"\"");
    assert_refused(&text, CONFIG_FORM_NUMBER, NULL, 1, "here: must be a string");
    assert_refused(&text, CONFIG_FORM_OTHER, NULL, 0, "here: must be a string");
}

static void
test_choices(void **state)
{
    (void)state;
    assert_set(&choice, CONFIG_FORM_STRING, "debug", 0);
    assert_int_equal(settings.log_level, LOG_LEVEL_DEBUG);
    assert_set(&choice, CONFIG_FORM_WORD, "error", 0);
    assert_int_equal(settings.log_level, LOG_LEVEL_ERROR);
    assert_refused(&choice, CONFIG_FORM_WORD, "err", 0,
                   "here: \"err\" is not one of: error, warning, info, debug");
    assert_refused(&choice, CONFIG_FORM_NUMBER, NULL, 1, "here: must be a string");
}

static void
test_modes(void **state)
{
    (void)state;
    assert_set(&mode, CONFIG_FORM_STRING, "777", 0);
    assert_printed(&mode, "\"0777\"");
    assert_set(&mode, CONFIG_FORM_WORD, "0600", 0);
    assert_int_equal(settings.output_mode, 0600);
    assert_refused(&mode, CONFIG_FORM_WORD, "1600", 0,
                   "here: \"1600\" is out of range (0600 to 0777)");
    assert_refused(&mode, CONFIG_FORM_WORD, "0577", 0,
                   "here: \"0577\" does not let the owner read and write");
    assert_refused(&mode, CONFIG_FORM_WORD, "00600", 0,
                   "here: \"00600\" is not a string of one to four octal digits");
    assert_refused(&mode, CONFIG_FORM_NUMBER, NULL, 600,
                   "here: must be a string of octal digits such as \"0640\"");
}

static void
print_choice(void *context)
{
    settings.log_level = LOG_LEVELS;
    config_value_print(&settings, &choice, context);
}

static void
test_a_choice_without_a_name_is_a_broken_promise(void **state)
{
    (void)state;
    struct ending ending = ending_of(print_choice, stderr);
    assert_true(WIFSIGNALED(ending.status));
    assert_non_null(strstr(ending.text, "choice < rule->choice_count"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_defaults, clear)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_numbers),
        TEST(test_texts_are_copied_and_quoted_for_libconfig),
        TEST(test_choices),
        TEST(test_modes),
        TEST(test_a_choice_without_a_name_is_a_broken_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
