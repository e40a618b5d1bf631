/* die_test.c -- the end of a start-up that cannot succeed: one line, and the exit code. */
#include "tests/unit/ending.h"
#include "tests/unit/scratch.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "base/log.h"
#include "master/die.h"

static void
end(void *context)
{
    log_open();
    die(EX_CONFIG, "%s: %d", (const char *)context, 7);
}

static void
test_says_one_line_and_exits(void **state)
{
    (void)state;
    char text[] = "a\nb";
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    struct ending ending = ending_of(end, text);
    assert_int_equal(ending_exit_code(&ending), EX_CONFIG);
    assert_string_equal(ending.text, "mygrpcadapter: a?b: 7\n");
}

static void
test_a_long_text_is_cut_but_its_line_ends(void **state)
{
    (void)state;
    char text[2 * COMPLAINT_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct ending ending = ending_of(end, text);
    size_t length = strlen(ending.text);
    assert_int_equal(length, sizeof("mygrpcadapter: ") - 1 + COMPLAINT_BYTES - 1 + 1);
    assert_int_equal(ending.text[length - 1], '\n');
}

/* The journal is told how important the line is. */
static void
end_in_the_journal(void *context)
{
    char stream[64];
    struct stat status;
    (void)fstat(STDERR_FILENO, &status);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino);
    (void)setenv("JOURNAL_STREAM", stream, 1);
    end(context);
}

static void
test_the_journal_has_its_priority(void **state)
{
    (void)state;
    char text[] = "a";
    struct ending ending = ending_of(end_in_the_journal, text);
    assert_string_equal(ending.text, "<3>mygrpcadapter: a: 7\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_one_line_and_exits),
        cmocka_unit_test(test_a_long_text_is_cut_but_its_line_ends),
        cmocka_unit_test(test_the_journal_has_its_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
