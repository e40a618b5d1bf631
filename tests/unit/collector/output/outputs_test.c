/* outputs_test.c -- an output that can be written again has those sources go back that passed over
 * records of it, as far as it needs, and no others. */
#include "tests/unit/scratch.h"

#include <errno.h>

#include "collector/input/sources.h"
#include "collector/output/output_private.h"
#include "collector/output/outputs.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"

#define SOURCES 2

/* When any output is tried again. */
#define LATER_MS 100000U

struct fixture {
    struct scratch root;
    struct settings settings;
    struct heritage heritage;
    struct outputs outputs;
    struct source source[SOURCES];
    struct source *list[SOURCES];
    struct sources sources;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    f->settings.output_root = f->root.path;
    f->settings.output_mode = 0640;
    f->heritage.settings = &f->settings;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    assert_int_equal(mkdirat(f->root.fd, ".seg", 0700), 0);
    f->heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f->root.fd, ".seg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    outputs_init(&f->outputs, &f->heritage, NULL);
    for (size_t i = 0; i < SOURCES; i++) {
        f->source[i].index = i;
        f->source[i].position.offset = 100;
        f->list[i] = &f->source[i];
    }
    f->sources = (struct sources){.list = f->list, .count = SOURCES};
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    outputs_clear(&f->outputs);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
    scratch_close(&f->root);
    free(f);
    return 0;
}

/* An output that has refused once. */
static struct output *
make_refusing(struct fixture *f, const char *name)
{
    struct output *output;
    assert_int_equal(outputs_make(&f->outputs, &f->sources, SEGMENT_FILE,
                                  (struct bytes){name, strlen(name)}, &output),
                     0);
    output_block(output, -EAGAIN, 0);
    return output;
}

static void
pass_over(struct output *output, struct source *source, uint64_t offset)
{
    static const struct segment_record record;
    output_pass_over(output, source, (struct segment_position){offset, offset}, &record);
}

static void
test_only_its_own_sources_go_back(void **state)
{
    struct fixture *f = *state;
    struct output *back = make_refusing(f, "back");
    scratch_put(&f->root, "file", "", 0);
    struct output *refusing = make_refusing(f, "file/below");
    pass_over(refusing, &f->source[0], 10);
    pass_over(back, &f->source[0], 50);
    pass_over(back, &f->source[0], 60);
    pass_over(refusing, &f->source[1], 20);
    outputs_retry(&f->outputs, &f->sources, LATER_MS);
    assert_false(output_is_blocked(back));
    assert_true(output_is_blocked(refusing));
    assert_int_equal(f->source[0].position.offset, 50);
    assert_int_equal(f->source[0].skipped.offset, 10);
    assert_int_equal(f->source[1].position.offset, 100);
    assert_int_equal(f->source[1].skipped.offset, 20);
}

static void
test_one_that_was_passed_over_stays_so_until_it_is_taken(void **state)
{
    struct fixture *f = *state;
    struct output *first = make_refusing(f, "first");
    struct output *second = make_refusing(f, "second");
    pass_over(first, &f->source[0], 30);
    pass_over(second, &f->source[0], 40);
    outputs_retry(&f->outputs, &f->sources, LATER_MS);
    assert_int_equal(f->source[0].position.offset, 30);
    assert_int_equal(f->source[0].skipped.offset, 0);
    /* Nothing is left that anybody would have to go back to. */
    f->source[0].position.offset = 100;
    output_block(first, -EAGAIN, LATER_MS);
    outputs_retry(&f->outputs, &f->sources, 2 * LATER_MS);
    assert_false(output_is_blocked(first));
    assert_int_equal(f->source[0].position.offset, 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_its_own_sources_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_passed_over_stays_so_until_it_is_taken,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
