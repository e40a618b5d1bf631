/* free_room_test.c -- the room that anybody may take is told, and what is no answer is none. */
#include "tests/unit/scratch.h"

#include "base/free_room.h"
#include "tests/unit/found_room.h"

static void
test_the_room_that_anybody_may_take(void **state)
{
    struct free_room room;
    (void)state;
    room_set(10 * ROOM_BLOCK_BYTES);
    assert_true(free_room_find(0, &room));
    assert_int_equal(room.free_bytes, 10 * ROOM_BLOCK_BYTES);
    room_set(0);
    assert_true(free_room_find(0, &room));
    assert_int_equal(room.free_bytes, 0);
    room_set(10 * ROOM_BLOCK_BYTES);
    room_found[1].f_frsize = 0;
    assert_true(free_room_find(0, &room));
    assert_int_equal(room.free_bytes, 10 << 20);
}

static void
expect_unknown(void)
{
    struct free_room room = {1, 1};
    assert_false(free_room_find(0, &room));
    assert_int_equal(room.free_bytes, 0);
}

static void
test_what_is_no_answer(void **state)
{
    (void)state;
    room_set(10 * ROOM_BLOCK_BYTES);
    room_error = EIO;
    expect_unknown();
    room_set(10 * ROOM_BLOCK_BYTES);
    room_found[1].f_blocks = 0; /* a tmpfs with size=0 */
    room_found[1].f_bavail = 0;
    expect_unknown();
    room_set(10 * ROOM_BLOCK_BYTES);
    room_found[1].f_bavail = room_found[1].f_blocks + 1;
    expect_unknown();
    room_set(10 * ROOM_BLOCK_BYTES);
    room_found[1].f_bsize = 0;
    room_found[1].f_frsize = 0;
    expect_unknown();
    room_set(10 * ROOM_BLOCK_BYTES);
    room_found[1].f_blocks = UINT64_MAX;
    room_found[1].f_bavail = UINT64_MAX / 2;
    expect_unknown();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_room_that_anybody_may_take),
        cmocka_unit_test(test_what_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
