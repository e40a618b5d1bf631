/* positions_test.c -- what an output has consumed is known of the right segment: after a restart,
 * after indexes are given out again, and of segments that are not seen for a while. */
#include "tests/unit/scratch.h"

#include "collector/output/positions.h"
#include "segment/segment_name.h"

/* A segment by that letter. Its slot is the letter too, so that its name is one of its own. */
static struct ledger_position
position_of(char id, uint64_t before, uint64_t after)
{
    struct ledger_position position = {
        .identity = {(uint32_t)id, 17, 2}, .before = before, .after = after};
    memset(&position.id, id, sizeof(position.id));
    return position;
}

static struct source
make_source(size_t index, char id)
{
    struct ledger_position position = position_of(id, 0, 0);
    struct source source = {.index = index};
    source.facts.id = position.id;
    source.facts.identity = position.identity;
    return source;
}

/* The sources that there are, in the directory of the scratch. */
static struct sources
list_of(const struct scratch *scratch, struct source **list, size_t count)
{
    return (struct sources){.means = {.directory_fd = scratch->fd}, .list = list, .count = count};
}

static const struct batch no_batch;

/* What the ledger would say of the segment, as "before-after"; "" if nothing. */
static const char *
listed_with(struct positions *positions, const struct sources *sources, const struct batch *batch,
            bool settled, char id)
{
    static char text[64];
    const struct ledger_position *list = NULL;
    struct ledger_position wanted = position_of(id, 0, 0);
    ssize_t count = positions_list(positions, sources, batch, settled, &list);
    assert_true(count >= 0);
    text[0] = '\0';
    for (ssize_t i = 0; i < count; i++) {
        if (memcmp(&list[i].id, &wanted.id, sizeof(wanted.id)) != 0)
            continue;
        assert_string_equal(text, ""); /* once at most */
        assert_int_equal(list[i].identity.slot, wanted.identity.slot);
        assert_int_equal(list[i].identity.number, wanted.identity.number);
        (void)snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)list[i].before,
                       (unsigned long long)list[i].after);
    }
    return text;
}

static const char *
listed(struct positions *positions, const struct sources *sources, char id)
{
    return listed_with(positions, sources, &no_batch, true, id);
}

static void
recover(struct positions *positions, struct ledger_position position)
{
    const struct ledger_state said = {.positions = &position, .position_count = 1};
    assert_int_equal(positions_recover(positions, &said), 0);
}

/* Makes the file of a segment, under one of its two names. */
static void
put_segment(const struct scratch *scratch, char id, enum segment_state file_state)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    struct ledger_position position = position_of(id, 0, 0);
    segment_name_format(name, &position.identity, file_state);
    scratch_put(scratch, name, "", 0);
}

static void
remove_segment(const struct scratch *scratch, char id, enum segment_state file_state)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    struct ledger_position position = position_of(id, 0, 0);
    segment_name_format(name, &position.identity, file_state);
    assert_int_equal(unlinkat(scratch->fd, name, 0), 0);
}

static void
test_what_the_ledger_said_is_found_by_the_segments_id(void **state)
{
    struct positions positions = {0};
    struct source known = make_source(40, 'a');
    struct source unknown = make_source(3, 'b');
    struct source *list[] = {&known, &unknown};
    struct sources sources = list_of(*state, list, 2);
    recover(&positions, position_of('a', 4200, 4200));
    assert_int_equal(positions_meet(&positions, &known), 0);
    assert_int_equal(positions_meet(&positions, &unknown), 0);
    assert_int_equal(positions_get(&positions, &known), 4200);
    assert_int_equal(positions_get(&positions, &unknown), 0);
    positions_set(&positions, &unknown, 5000);
    positions_set(&positions, &known, 4300);
    assert_string_equal(listed(&positions, &sources, 'a'), "4300-4300");
    assert_string_equal(listed(&positions, &sources, 'b'), "5000-5000");
    positions_clear(&positions);
}

/* Of an unfinished batch the records are not consumed before it is completed. */
static void
test_an_unfinished_batch_is_not_consumed(void **state)
{
    struct positions positions = {0};
    struct source source = make_source(0, 'a');
    (void)state;
    recover(&positions, position_of('a', 4136, 4300));
    assert_int_equal(positions_meet(&positions, &source), 0);
    assert_int_equal(positions_get(&positions, &source), 4136);
    positions_clear(&positions);
}

static void
test_an_index_that_is_given_out_again_begins_at_nothing(void **state)
{
    struct positions positions = {0};
    struct source before = make_source(0, 'a');
    struct source after = make_source(0, 'b');
    struct source *list[] = {&after};
    struct sources sources = list_of(*state, list, 1);
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
    struct positions positions = {0};
    struct source source = make_source(0, 'a');
    struct source *list[] = {&source};
    struct sources there = list_of(*state, list, 1);
    struct sources gone = list_of(*state, list, 0);
    assert_int_equal(positions_meet(&positions, &source), 0);
    assert_false(positions_matter(&positions, &there));
    positions_set(&positions, &source, 4136);
    assert_true(positions_matter(&positions, &there));
    assert_false(positions_matter(&positions, &gone));
    gone.unreadable = 1; /* it may be that one */
    assert_true(positions_matter(&positions, &gone));
    positions_clear(&positions);
}

/* Another output had no memory to meet the source: all of them meet it once more. */
static void
test_a_source_that_is_met_twice_is_where_the_ledger_said(void **state)
{
    struct positions positions = {0};
    struct source source = make_source(0, 'a');
    struct source *list[] = {&source};
    struct sources sources = list_of(*state, list, 1);
    recover(&positions, position_of('a', 4200, 4200));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(positions_meet(&positions, &source), 0);
        assert_int_equal(positions_get(&positions, &source), 4200);
        assert_string_equal(listed(&positions, &sources, 'a'), "4200-4200");
    }
    positions_forget_gone(&positions, &sources);
    assert_string_equal(listed(&positions, &sources, 'a'), "4200-4200");
    positions_clear(&positions);
}

/* A listing missed it, or it cannot be opened: its records would come again when it is seen. */
static void
test_a_position_is_kept_as_long_as_its_segment_has_a_name(void **state)
{
    static const enum segment_state names[] = {SEGMENT_STATE_OPEN, SEGMENT_STATE_SEALED};
    for (size_t i = 0; i < 2; i++) {
        struct positions positions = {0};
        struct source source = make_source(0, 'a');
        struct sources none = list_of(*state, NULL, 0);
        put_segment(*state, 'a', names[i]);
        recover(&positions, position_of('a', 4200, 4200));
        for (int look = 0; look < 10; look++) {
            positions_forget_gone(&positions, &none);
            assert_string_equal(listed(&positions, &none, 'a'), "4200-4200");
            assert_true(positions_matter(&positions, &none));
        }
        assert_int_equal(positions_meet(&positions, &source), 0); /* at last it is read */
        assert_int_equal(positions_get(&positions, &source), 4200);
        positions_clear(&positions);
        remove_segment(*state, 'a', names[i]);
    }
}

static void
test_a_position_is_let_go_with_the_last_name_of_its_segment(void **state)
{
    struct positions positions = {0};
    struct sources none = list_of(*state, NULL, 0);
    put_segment(*state, 'a', SEGMENT_STATE_SEALED);
    recover(&positions, position_of('a', 4200, 4200));
    positions_forget_gone(&positions, &none);
    assert_string_equal(listed(&positions, &none, 'a'), "4200-4200");
    remove_segment(*state, 'a', SEGMENT_STATE_SEALED);
    assert_string_equal(listed(&positions, &none, 'a'), "4200-4200"); /* nobody has looked yet */
    positions_forget_gone(&positions, &none);
    assert_string_equal(listed(&positions, &none, 'a'), "4200-4200"); /* it may be back at once */
    put_segment(*state, 'a', SEGMENT_STATE_OPEN);
    positions_forget_gone(&positions, &none);
    remove_segment(*state, 'a', SEGMENT_STATE_OPEN);
    positions_forget_gone(&positions, &none);
    assert_string_equal(listed(&positions, &none, 'a'), "4200-4200");
    positions_forget_gone(&positions, &none);
    assert_string_equal(listed(&positions, &none, 'a'), "");
    assert_false(positions_matter(&positions, &none));
    positions_clear(&positions);
}

/* An error is no absence: only that neither name is there. */
static void
test_a_name_that_cannot_be_asked_for_is_not_gone(void **state)
{
    struct positions positions = {0};
    struct sources none = list_of(*state, NULL, 0);
    none.means.directory_fd = -1; /* EBADF */
    recover(&positions, position_of('a', 4200, 4200));
    for (int look = 0; look < 3; look++)
        positions_forget_gone(&positions, &none);
    assert_string_equal(listed(&positions, &none, 'a'), "4200-4200");
    positions_clear(&positions);
}

/* Version 1 of the ledger does not say the name: two whole looks without it, and none while a file
 * cannot be read. */
static void
test_without_a_name_a_segment_is_gone_after_two_whole_looks(void **state)
{
    struct positions positions = {0};
    struct sources none = list_of(*state, NULL, 0);
    struct ledger_position position = position_of('a', 4200, 4200);
    const struct ledger_position *list = NULL;
    position.identity = (struct segment_identity){.slot = LEDGER_SLOT_UNKNOWN};
    recover(&positions, position);
    none.unreadable = 1;
    for (int look = 0; look < 5; look++)
        positions_forget_gone(&positions, &none);
    none.unreadable = 0;
    positions_forget_gone(&positions, &none);
    assert_int_equal(positions_list(&positions, &none, &no_batch, true, &list), 1);
    assert_int_equal(list[0].identity.slot, LEDGER_SLOT_UNKNOWN);
    positions_forget_gone(&positions, &none);
    assert_int_equal(positions_list(&positions, &none, &no_batch, true, &list), 0);
    positions_clear(&positions);
}

/* Adds a record of the source that ends there. */
static void
add(struct batch *batch, struct source *source, uint64_t end_offset)
{
    const struct batch_origin origin = {source, {end_offset - 40, 0}, end_offset, 0};
    assert_int_equal(batch_add(batch, &origin, (struct bytes){"text", 4}), 0);
}

static void
test_a_batch_is_listed_in_its_order_with_before_and_after(void **state)
{
    struct positions positions = {0};
    struct source one = make_source(0, 'a');
    struct source two = make_source(1, 'b');
    struct source idle = make_source(2, 'c');
    struct source *all[] = {&one, &two, &idle};
    struct sources sources = list_of(*state, all, 3);
    struct batch batch = {0};
    const struct ledger_position *list = NULL;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(positions_meet(&positions, all[i]), 0);
    positions_set(&positions, &one, 4136);
    positions_set(&positions, &idle, 4200);
    add(&batch, &two, 4136);
    add(&batch, &two, 4176);
    add(&batch, &one, 4300);
    assert_int_equal(positions_list(&positions, &sources, &batch, false, &list), 3);
    assert_memory_equal(&list[0].id, &two.facts.id, sizeof(list[0].id)); /* it comes first */
    assert_memory_equal(&list[1].id, &one.facts.id, sizeof(list[1].id));
    assert_string_equal(listed_with(&positions, &sources, &batch, false, 'b'), "0-4176");
    assert_string_equal(listed_with(&positions, &sources, &batch, false, 'a'), "4136-4300");
    assert_string_equal(listed_with(&positions, &sources, &batch, false, 'c'), "4200-4200");
    assert_string_equal(listed_with(&positions, &sources, &batch, true, 'b'), "4176-4176");
    assert_string_equal(listed_with(&positions, &sources, &batch, true, 'a'), "4300-4300");
    assert_int_equal(positions_get(&positions, &one), 4136); /* a list changes nothing */
    assert_int_equal(positions_list_batch(&positions, &batch, &list), 2);
    assert_int_equal(list[0].before, 0);
    assert_int_equal(list[0].after, 4176);
    assert_int_equal(list[1].before, 4136);
    assert_int_equal(list[1].after, 4300);
    batch_clear(&batch);
    positions_clear(&positions);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_the_ledger_said_is_found_by_the_segments_id),
        TEST(test_an_unfinished_batch_is_not_consumed),
        TEST(test_an_index_that_is_given_out_again_begins_at_nothing),
        TEST(test_what_is_consumed_matters_while_its_segment_is_there),
        TEST(test_a_source_that_is_met_twice_is_where_the_ledger_said),
        TEST(test_a_position_is_kept_as_long_as_its_segment_has_a_name),
        TEST(test_a_position_is_let_go_with_the_last_name_of_its_segment),
        TEST(test_a_name_that_cannot_be_asked_for_is_not_gone),
        TEST(test_without_a_name_a_segment_is_gone_after_two_whole_looks),
        TEST(test_a_batch_is_listed_in_its_order_with_before_and_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
