/* segments_table_test.c -- columns are as wide as their widest cell, and a table can be used
 * again. */
#include "tests/unit/scratch.h"

#include "commands/segments/segments_table.h"

static void
expect_printed(struct segments_table *table, int result, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(segments_table_print(table, out), result);
    (void)fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void
test_columns_are_aligned(void **state)
{
    (void)state;
    struct segments_table table;
    segments_table_init(&table, "rll");
    segments_table_add(&table, "N");
    segments_table_add(&table, "NAME");
    segments_table_add(&table, "NOTE");
    segments_table_add(&table, "%d", 1234);
    segments_table_add(&table, "%s", "a");
    segments_table_add(&table, "-");
    expect_printed(&table, 0, "   N NAME NOTE\n1234 a    -\n");
    expect_printed(&table, 0, ""); /* printing frees it */
    segments_table_add(&table, "1");
    segments_table_add(&table, "2");
    segments_table_add(&table, "3");
    expect_printed(&table, 0, "1 2 3\n");
}

static void
test_a_table_that_lacks_a_cell_is_not_printed(void **state)
{
    (void)state;
    struct segments_table table;
    segments_table_init(&table, "l");
    segments_table_add(&table, "one");
    table.failed = true; /* as without memory */
    expect_printed(&table, -ENOMEM, "");
    segments_table_add(&table, "two");
    expect_printed(&table, 0, "two\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_aligned),
        cmocka_unit_test(test_a_table_that_lacks_a_cell_is_not_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
