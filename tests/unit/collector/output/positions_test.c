/* positions_test.c -- what an output has consumed is known of the right segment: after a restart,
 * after indexes are given out again, and of segments that cannot be read for a while. */
#include "tests/unit/scratch.h"

#include "collector/output/positions.h"

static struct source
make_source(size_t index, char id)
{
    struct source source = {.index = index};
    memset(&source.facts.id, id, sizeof(source.facts.id));
    return source;
}

/* The sources that there are. */
static struct sources
list_of(struct source **list, size_t count, size_t unreadable)
{
    return (struct sources){.list = list, .count = count, .unreadable = unreadable};
}

static uint64_t
listed(struct positions *positions, const struct sources *sources, char id)
{
    const struct ledger_position *list = NULL;
    struct segment_id wanted;
    uint64_t offset = 0;
    ssize_t count = positions_list(positions, sources, &list);
    memset(&wanted, id, sizeof(wanted));
    for (ssize_t i = 0; i < count; i++) {
        if (memcmp(&list[i].id, &wanted, sizeof(wanted)) != 0)
            continue;
        assert_int_equal(offset, 0); /* once at most */
        offset = list[i].offset;
    }
    return offset;
}

static void
recover(struct positions *positions, char id, uint64_t offset)
{
    struct ledger_position position = {.offset = offset};
    memset(&position.id, id, sizeof(position.id));
    const struct ledger_state said = {.positions = &position, .position_count = 1};
    assert_int_equal(positions_recover(positions, &said), 0);
}

static void
test_what_the_ledger_said_is_found_by_the_segments_id(void **state)
{
    (void)state;
    struct positions positions = {0};
    struct source known = make_source(40, 'a');
    struct source unknown = make_source(3, 'b');
    struct source *list[] = {&known, &unknown};
    struct sources sources = list_of(list, 2, 0);
    recover(&positions, 'a', 4200);
    assert_int_equal(positions_meet(&positions, &known), 0);
    assert_int_equal(positions_meet(&positions, &unknown), 0);
    assert_int_equal(positions_get(&positions, &known), 4200);
    assert_int_equal(positions_get(&positions, &unknown), 0);
    positions_set(&positions, &unknown, 5000);
    positions_set(&positions, &known, 4300);
    assert_int_equal(listed(&positions, &sources, 'a'), 4300);
    assert_int_equal(listed(&positions, &sources, 'b'), 5000);
    positions_clear(&positions);
}

static void
test_an_index_that_is_given_out_again_begins_at_nothing(void **state)
{
    (void)state;
    struct positions positions = {0};
    struct source before = make_source(0, 'a');
    struct source after = make_source(0, 'b');
    struct source *list[] = {&after};
    struct sources sources = list_of(list, 1, 0);
    assert_int_equal(positions_meet(&positions, &before), 0);
    positions_set(&positions, &before, 6000);
    positions_forget(&positions, before.index);
    positions_forget(&positions, 1000); /* one that this output never met */
    assert_int_equal(positions_meet(&positions, &after), 0);
    assert_int_equal(positions_get(&positions, &after), 0);
    assert_false(positions_matter(&positions, &sources));
    positions_clear(&positions);
}

static void
test_what_is_consumed_matters_while_its_segment_is_there(void **state)
{
    (void)state;
    struct positions positions = {0};
    struct source source = make_source(0, 'a');
    struct source *list[] = {&source};
    struct sources there = list_of(list, 1, 0);
    struct sources gone = list_of(list, 0, 0);
    assert_int_equal(positions_meet(&positions, &source), 0);
    assert_false(positions_matter(&positions, &there));
    positions_set(&positions, &source, 4136);
    assert_true(positions_matter(&positions, &there));
    assert_false(positions_matter(&positions, &gone));
    positions_clear(&positions);
}

/* Its records would come again when it can be read again. */
static void
test_a_segment_that_cannot_be_read_is_not_forgotten(void **state)
{
    (void)state;
    struct positions positions = {0};
    struct source source = make_source(0, 'a');
    struct source *list[] = {&source};
    struct sources unreadable = list_of(list, 0, 1);
    struct sources readable = list_of(list, 1, 0);
    recover(&positions, 'a', 4200);
    assert_true(positions_matter(&positions, &unreadable));
    assert_int_equal(listed(&positions, &unreadable, 'a'), 4200);
    assert_int_equal(positions_meet(&positions, &source), 0);
    assert_int_equal(listed(&positions, &readable, 'a'), 4200);
    positions_clear(&positions);

    recover(&positions, 'z', 4200); /* of a segment that is there no more: it is let go */
    assert_int_equal(positions_meet(&positions, &source), 0);
    assert_int_equal(listed(&positions, &readable, 'z'), 0);
    positions_clear(&positions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_ledger_said_is_found_by_the_segments_id),
        cmocka_unit_test(test_an_index_that_is_given_out_again_begins_at_nothing),
        cmocka_unit_test(test_what_is_consumed_matters_while_its_segment_is_there),
        cmocka_unit_test(test_a_segment_that_cannot_be_read_is_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
