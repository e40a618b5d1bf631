/* admission_test.c -- the table of accepted outputs: how many, which exclude each other, and
 * that it stands the death of who uses it. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/admission.h"

static struct admission *
open_table(uint32_t names_max)
{
    struct admission *admission = NULL;
    assert_int_equal(admission_open(&admission, names_max), 0);
    assert_non_null(admission);
    return admission;
}

/* 0 if it is accepted, whether for the first time or not. */
static int
admit(struct admission *admission, const char *name)
{
    int result = admission_admit(admission, name);
    return result > 0 ? 0 : result;
}

static void
test_it_tells_what_is_new(void **state)
{
    (void)state;
    struct admission *admission = open_table(10);
    assert_int_equal(admission_admit(admission, "d/a"), 1);
    assert_int_equal(admission_admit(admission, "d/a"), 0);
    assert_int_equal(admission_admit(admission, "d/b"), 1);
    admission_close(&admission);
}

static void
test_a_known_name_takes_no_more_room(void **state)
{
    (void)state;
    struct admission *admission = open_table(2);
    for (int again = 0; again < 10; again++) {
        assert_int_equal(admit(admission, "a"), 0);
        assert_int_equal(admit(admission, "d/b"), 0);
    }
    assert_int_equal(admit(admission, "c"), -EUSERS);
    assert_int_equal(admit(admission, "a"), 0);
    admission_close(&admission);
    assert_null(admission);
    admission_close(&admission);
}

static void
test_as_many_names_as_there_is_room_for(void **state)
{
    (void)state;
    struct admission *admission = open_table(1000);
    char name[64];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "team-%d/%d/out.txt", i % 7, i);
        assert_int_equal(admit(admission, name), 0);
    }
    assert_int_equal(admit(admission, "one/more"), -EUSERS);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "team-%d/%d/out.txt", i % 7, i);
        assert_int_equal(admit(admission, name), 0);
    }
    admission_close(&admission);
}

static void
test_deep_names_end_at_the_room_there_is(void **state)
{
    (void)state;
    struct admission *admission = open_table(4);
    char deep[256] = "";
    for (int depth = 0; depth < 60; depth++)
        (void)strcat(deep, "d/");
    (void)strcat(deep, "out");
    assert_int_equal(admit(admission, deep), -EMLINK);
    assert_int_equal(admit(admission, "out"), 0);
    admission_close(&admission);
}

static void
test_a_name_is_a_file_or_a_directory(void **state)
{
    (void)state;
    struct admission *admission = open_table(10);
    assert_int_equal(admit(admission, "x"), 0);
    assert_int_equal(admit(admission, "x/a"), -EEXIST);
    assert_int_equal(admit(admission, "x/y/a"), -EEXIST);
    assert_int_equal(admit(admission, "d/e/f"), 0);
    assert_int_equal(admit(admission, "d"), -EEXIST);
    assert_int_equal(admit(admission, "d/e"), -EEXIST);
    assert_int_equal(admit(admission, "d/e/g"), 0);
    assert_int_equal(admit(admission, "d/g"), 0);
    assert_int_equal(admit(admission, "dd"), 0);
    assert_int_equal(admit(admission, "x"), 0); /* what was refused left nothing behind */
    assert_int_equal(admit(admission, "d/e/f"), 0);
    admission_close(&admission);
}

static void
test_several_processes_fill_the_room_exactly(void **state)
{
    (void)state;
    struct admission *admission = open_table(500);
    pid_t children[4];
    for (int child = 0; child < 4; child++) {
        children[child] = fork();
        assert_true(children[child] >= 0);
        if (children[child] == 0) {
            char name[32];
            for (int i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "%d", (i + child * 250) % 1000);
                (void)admit(admission, name);
            }
            _exit(0);
        }
    }
    int admitted = 0;
    for (int child = 0; child < 4; child++)
        assert_int_equal(waitpid(children[child], NULL, 0), children[child]);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%d", i);
        admitted += admit(admission, name) == 0 ? 1 : 0;
    }
    assert_int_equal(admitted, 500);
    admission_close(&admission);
}

static void
test_a_process_killed_in_it_blocks_nobody(void **state)
{
    (void)state;
    struct admission *admission = open_table(60000);
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char name[32];
            for (int i = 0;; i++) {
                (void)snprintf(name, sizeof(name), "%d/%d", round, i % 2000);
                (void)admit(admission, name);
            }
        }
        (void)usleep(2000 + (unsigned)round * 37);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(admit(admission, "mine"), 0);
    }
    admission_close(&admission);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_tells_what_is_new),
        cmocka_unit_test(test_a_known_name_takes_no_more_room),
        cmocka_unit_test(test_as_many_names_as_there_is_room_for),
        cmocka_unit_test(test_deep_names_end_at_the_room_there_is),
        cmocka_unit_test(test_a_name_is_a_file_or_a_directory),
        cmocka_unit_test(test_several_processes_fill_the_room_exactly),
        cmocka_unit_test(test_a_process_killed_in_it_blocks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
