/* segment_name_test.c -- a segment's name says what it was made of, and nothing else is one. */
#include "tests/unit/scratch.h"

#include "segment/segment_name.h"

#define OPEN_NAME "00003-0000000017-0000000002.open"

static const struct segment_identity identity = {3, 17, 2};

static void
test_only_what_is_written_is_read(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_BYTES_MAX];
    struct segment_identity parsed;
    enum segment_state found;
    segment_name_format(name, &identity, SEGMENT_STATE_OPEN);
    assert_string_equal(name, OPEN_NAME);
    assert_true(segment_name_parse(OPEN_NAME, &parsed, &found));
    assert_int_equal(segment_identity_compare(&parsed, &identity), 0);
    assert_int_equal(found, SEGMENT_STATE_OPEN);
    static const char *const strangers[] = {"",
                                            "lock",
                                            "3-17-2.open",
                                            "00003-0000000017-0000000002",
                                            "00003-0000000017-0000000002.open2",
                                            "00003-0000000017-0000000002.sealed ",
                                            "00003-0000000017-000000000x.open",
                                            "+0003-0000000017-0000000002.open",
                                            "99999999999-0000000017-0000000002.open",
                                            "00003-99999999999999999999999-0000000002.open"};
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        assert_false(segment_name_parse(strangers[i], &parsed, &found));
}

static void
test_every_state_and_number_comes_back(void **state)
{
    (void)state;
    static const struct segment_identity identities[] = {{0, 0, 0},
                                                         {1, 2, 3},
                                                         {99999, 9999999999, 9999999999},
                                                         {UINT32_MAX, UINT64_MAX, UINT64_MAX}};
    static const char *const suffixes[] = {[SEGMENT_STATE_NEW] = ".new",
                                           [SEGMENT_STATE_OPEN] = ".open",
                                           [SEGMENT_STATE_SEALED] = ".sealed"};
    for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
        for (size_t j = 0; j < 3; j++) {
            char name[SEGMENT_NAME_BYTES_MAX];
            struct segment_identity parsed;
            enum segment_state found;
            segment_name_format(name, &identities[i], (enum segment_state)j);
            assert_string_equal(strchr(name, '.'), suffixes[j]);
            assert_true(segment_name_parse(name, &parsed, &found));
            assert_int_equal(found, j);
            assert_int_equal(segment_identity_compare(&parsed, &identities[i]), 0);
        }
    }
}

static void
test_identities_have_an_order(void **state)
{
    (void)state;
    static const struct segment_identity ordered[] = {
        {0, 0, 9}, {0, 1, 0}, {0, 1, 1}, {0, UINT64_MAX, 0}, {1, 0, 0}, {UINT32_MAX, 0, 0}};
    const size_t count = sizeof(ordered) / sizeof(ordered[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int order = segment_identity_compare(&ordered[i], &ordered[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_true(segment_identity_same_incarnation(&ordered[1], &ordered[2]));
    assert_false(segment_identity_same_incarnation(&ordered[0], &ordered[1]));
    assert_false(segment_identity_same_incarnation(&ordered[0], &ordered[4]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_written_is_read),
        cmocka_unit_test(test_every_state_and_number_comes_back),
        cmocka_unit_test(test_identities_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
