/* list_test.c -- items stand in a list in the order they came, and leave it from any place. */
#include "tests/unit/scratch.h"

#include "base/list.h"

struct item {
    int number;
    struct list_link link;
};

static void
check(struct list_link *head, size_t count, const int *numbers)
{
    struct list_link *at = head->after;
    for (size_t i = 0; i < count; i++, at = at->after) {
        assert_int_equal(CONTAINER_OF(at, struct item, link)->number, numbers[i]);
        assert_ptr_equal(at->before->after, at);
    }
    assert_ptr_equal(at, head);
    assert_int_equal(list_is_empty(head), count == 0);
}

static void
test_order_and_removal(void **state)
{
    (void)state;
    struct list_link head;
    struct item items[4];
    list_init(&head);
    check(&head, 0, NULL);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        list_init(&items[i].link);
        assert_true(list_is_empty(&items[i].link));
        list_append(&head, &items[i].link);
    }
    check(&head, 4, (const int[]){0, 1, 2, 3});
    list_remove(&items[1].link);
    list_remove(&items[1].link); /* it is in none: nothing happens */
    check(&head, 3, (const int[]){0, 2, 3});
    list_remove(&items[0].link);
    list_remove(&items[3].link);
    check(&head, 1, (const int[]){2});
    list_append(&head, &items[0].link);
    check(&head, 2, (const int[]){2, 0});
    list_remove(&items[2].link);
    list_remove(&items[0].link);
    check(&head, 0, NULL);
}

static void
test_all_move_at_once(void **state)
{
    (void)state;
    struct list_link from;
    struct list_link to;
    struct item items[3];
    list_init(&from);
    list_move(&from, &to);
    check(&to, 0, NULL);
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        list_append(&from, &items[i].link);
    }
    list_move(&from, &to);
    check(&from, 0, NULL);
    check(&to, 3, (const int[]){0, 1, 2});
    list_remove(&items[1].link);
    list_append(&from, &items[1].link);
    check(&from, 1, (const int[]){1});
    check(&to, 2, (const int[]){0, 2});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_removal),
        cmocka_unit_test(test_all_move_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
