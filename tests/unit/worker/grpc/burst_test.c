/* burst_test.c -- the cork is put in for many answers and not for few, by a clock that the test
 * turns. The connections have no sockets: cork_test.c looks at those. */
#include "worker/grpc/burst.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/grpc/connection.h"

#define NOW_NS UINT64_C(1000000000)

static const struct connection connections[] = {{.fd = -1, .watch_fd = -1},
                                                {.fd = -1, .watch_fd = -2}};

static int
setup(void **state)
{
    static struct burst burst;
    assert_int_equal(burst_open(&burst, 4), 0);
    burst_add_connection(&burst, &connections[0]);
    burst_add_connection(&burst, &connections[1]);
    *state = &burst;
    return 0;
}

static int
teardown(void **state)
{
    struct burst *burst = *state;
    burst_close(burst);
    assert_null(burst->cork);
    return 0;
}

/* So many answers are sent, with as many under way; the cork is in. */
static void
answer_in_a_burst(struct burst *burst, size_t count)
{
    for (size_t i = 0; i < count; i++)
        burst_answer(burst, count, NOW_NS);
    assert_true(burst_is_corked(burst));
}

static void
test_few_answers_wait_for_nobody(void **state)
{
    struct burst *burst = *state;
    for (size_t i = 0; i < 100; i++)
        burst_answer(burst, 4, NOW_NS); /* two for each connection */
    assert_false(burst_is_corked(burst));
    burst_end(burst); /* does nothing */
    burst_answer(burst, 4, NOW_NS);
    assert_false(burst_is_corked(burst));
}

static void
test_many_answers_leave_together(void **state)
{
    struct burst *burst = *state;
    burst_answer(burst, 5, NOW_NS);
    assert_true(burst_is_corked(burst));
    burst_end(burst);
    assert_false(burst_is_corked(burst));
}

static void
test_what_are_many_depends_on_the_connections(void **state)
{
    struct burst *burst = *state;
    burst_remove_connection(burst, &connections[0]);
    burst_answer(burst, 3, NOW_NS);
    assert_true(burst_is_corked(burst));
}

static void
test_half_a_millisecond_at_most(void **state)
{
    struct burst *burst = *state;
    burst_answer(burst, 5, NOW_NS);
    burst_answer(burst, 5, NOW_NS + 499999);
    assert_true(burst_may_stay(burst, NOW_NS + 499999));
    assert_false(burst_may_stay(burst, NOW_NS + 500000));
}

static void
test_goes_on_while_it_is_worth_it(void **state)
{
    struct burst *burst = *state;
    answer_in_a_burst(burst, 5);
    burst_end(burst);
    burst_answer(burst, 1, NOW_NS); /* the first of the next burst */
    assert_true(burst_is_corked(burst));
    burst_end(burst);
    burst_answer(burst, 1, NOW_NS); /* there was no next burst */
    assert_false(burst_is_corked(burst));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_few_answers_wait_for_nobody),
        TEST(test_many_answers_leave_together),
        TEST(test_what_are_many_depends_on_the_connections),
        TEST(test_half_a_millisecond_at_most),
        TEST(test_goes_on_while_it_is_worth_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
