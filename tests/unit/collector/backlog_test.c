/* backlog_test.c -- what is said about a backlog, and when. */
#include "tests/unit/scratch.h"

#include <time.h>

#include "collector/backlog.h"
#include "collector/input/sources.h"

#define MIB (1ULL << 20)

/* Standard error goes to a file; what is in it is given back, for the caller to free. */
static char *
logged(const struct scratch *scratch, void (*run)(void))
{
    int saved = dup(STDERR_FILENO);
    int fd = openat(scratch->fd, "log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    run();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(fd);
    char *text = scratch_get(scratch, "log", NULL);
    assert_non_null(text);
    return text;
}

static void
busy_moment(void)
{
    struct backlog backlog = {0};
    struct sources rest = {0};
    backlog_note(&backlog, 0, 0, false, &rest);
    backlog_note(&backlog, MIB, 10, true, &rest);
    backlog_note(&backlog, MIB, 10, false, &rest);
}

static void
long_backlog(void)
{
    struct backlog backlog = {0};
    struct source segment = {.phase = SOURCE_FINAL, .facts = {.file_bytes = 14 * MIB}};
    struct source *list[] = {&segment, &segment, &segment, &segment, &segment};
    struct sources rest = {.list = list, .count = 5};
    const struct timespec while_it_lasts = {.tv_sec = 1, .tv_nsec = 100 * 1000000};
    backlog_note(&backlog, 10 * MIB, 100, true, &rest);
    (void)nanosleep(&while_it_lasts, NULL);
    backlog_note(&backlog, 20 * MIB, 200, true, &rest);
    backlog_note(&backlog, 0, 0, true, &rest); /* not a second later */
    backlog_note(&backlog, 70 * MIB, 7, false, &(struct sources){0});
}

static void
test_a_busy_moment_is_not_worth_a_line(void **state)
{
    char *text = logged(*state, busy_moment);
    assert_string_equal(text, "");
    free(text);
}

static void
test_a_line_every_second_and_one_at_the_end(void **state)
{
    char *text = logged(*state, long_backlog);
    char *line = strstr(text, "merging a backlog");
    assert_non_null(line);
    assert_non_null(strstr(line, "merged_bytes=31457280 found_bytes=104857600 records=300 "));
    assert_non_null(strstr(line, "left_bytes=73400320 left_segments=5"));
    assert_null(strstr(line + 1, "merging a backlog"));
    line = strstr(line, "the backlog is merged");
    assert_non_null(line);
    assert_non_null(strstr(line, "merged_bytes=104857600 records=307 "));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_busy_moment_is_not_worth_a_line, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_line_every_second_and_one_at_the_end, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
