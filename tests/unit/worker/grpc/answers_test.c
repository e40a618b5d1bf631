/* answers_test.c -- answers that do not leave make place once, and are cut off once, by a clock
 * that the test turns. */
#include "worker/grpc/answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BEGAN_MS 1000U

struct call {
    struct answer answer;
    int places;
    int cuts;
};

static void
make_place(struct answer *answer)
{
    CONTAINER_OF(answer, struct call, answer)->places++;
}

static void
cut(struct answer *answer)
{
    CONTAINER_OF(answer, struct call, answer)->cuts++;
}

static struct call
new_call(void)
{
    return (struct call){.answer = {.make_place = make_place, .cut = cut}};
}

static void
check(const struct call *call, int places, int cuts)
{
    assert_int_equal(call->places, places);
    assert_int_equal(call->cuts, cuts);
}

static void
test_late_then_cut(void **state)
{
    (void)state;
    struct answers answers;
    struct call call = new_call();
    answers_init(&answers);
    answers_look(&answers, true, BEGAN_MS);
    answers_add(&answers, &call.answer, BEGAN_MS);
    assert_int_equal(answers.count, 1);
    answers_look(&answers, true, BEGAN_MS + 199);
    check(&call, 0, 0);
    answers_look(&answers, true, BEGAN_MS + 200);
    answers_look(&answers, true, BEGAN_MS + 300);
    check(&call, 1, 0);
    answers_look(&answers, true, BEGAN_MS + 19999);
    check(&call, 1, 0);
    answers_look(&answers, true, BEGAN_MS + 20000);
    answers_look(&answers, true, BEGAN_MS + 20100);
    check(&call, 1, 1);
    assert_true(answers_remove(&answers, &call.answer));
    assert_int_equal(answers.count, 0);
}

static void
test_prompt_ones_are_left_alone(void **state)
{
    (void)state;
    struct answers answers;
    struct call calls[3] = {new_call(), new_call(), new_call()};
    answers_init(&answers);
    for (unsigned i = 0; i < 3; i++)
        answers_add(&answers, &calls[i].answer, BEGAN_MS + 100 * i);
    answers_look(&answers, true, BEGAN_MS + 300);
    check(&calls[0], 1, 0);
    check(&calls[1], 1, 0);
    check(&calls[2], 0, 0);
    assert_true(answers_remove(&answers, &calls[1].answer));
    assert_false(answers_remove(&answers, &calls[2].answer));
    /* The memory of one that has left serves for another call. */
    answers_add(&answers, &calls[1].answer, BEGAN_MS + 310);
    answers_look(&answers, true, BEGAN_MS + 400);
    check(&calls[1], 1, 0);
    assert_false(answers_remove(&answers, &calls[1].answer));
    assert_true(answers_remove(&answers, &calls[0].answer));
    assert_int_equal(answers.count, 0);
}

/* Late in a drain. */
static void
test_no_place_is_made_when_no_call_is_taken(void **state)
{
    (void)state;
    struct answers answers;
    struct call call = new_call();
    answers_init(&answers);
    answers_add(&answers, &call.answer, BEGAN_MS);
    answers_look(&answers, false, BEGAN_MS + 300);
    check(&call, 0, 0);
    answers_look(&answers, false, BEGAN_MS + 20000);
    check(&call, 0, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_then_cut),
        cmocka_unit_test(test_prompt_ones_are_left_alone),
        cmocka_unit_test(test_no_place_is_made_when_no_call_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
