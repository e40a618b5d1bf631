/* segments_report_test.c -- what `segments` prints, letter by letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "commands/segments/segments_listing.h"
#include "base/lock_holder.h"
#include "commands/segments/segments_outputs.h"
#include "commands/segments/segments_report.h"

static char *printed;
static size_t printed_bytes;

static FILE *
begin(void)
{
    FILE *out = open_memstream(&printed, &printed_bytes);
    assert_non_null(out);
    return out;
}

static void
expect(FILE *out, const char *text)
{
    assert_int_equal(fclose(out), 0);
    assert_string_equal(printed, text);
    free(printed);
}

static const struct segments_file files[] = {
    {.kind = SEGMENTS_FILE_SEGMENT,
     .identity = {0, 17, 2},
     .state = SEGMENT_STATE_NEW,
     .name = "n"},
    {.kind = SEGMENTS_FILE_SEGMENT,
     .identity = {0, 17, 1},
     .state = SEGMENT_STATE_OPEN,
     .name = "o"},
    {.kind = SEGMENTS_FILE_SEGMENT,
     .identity = {12, 3, 0},
     .state = SEGMENT_STATE_SEALED,
     .name = "s"},
    {.kind = SEGMENTS_FILE_SEGMENT,
     .identity = {0, 1, 0},
     .state = SEGMENT_STATE_SEALED,
     .place = SEGMENTS_IN_QUARANTINE,
     .name = "quarantine/q"},
    {.kind = SEGMENTS_FILE_LEDGER, .name = "l"},
    {.kind = SEGMENTS_FILE_OTHER, .place = SEGMENTS_IN_QUARANTINE, .name = "quarantine/a b"},
    {.kind = SEGMENTS_FILE_SEGMENT,
     .identity = {SEGMENT_SLOT_ASIDE, 5, 6},
     .state = SEGMENT_STATE_SEALED,
     .place = SEGMENTS_IN_ASIDE,
     .name = "aside/x.segment"},
};

static struct segments_output aside_output = {.kind = SEGMENT_STANDARD_OUTPUT};

static const struct segments_row rows[] = {
    {.file = &files[0], .file_bytes = 8192, .writer = 71},
    {.file = &files[1],
     .file_bytes = 8192,
     .survey = {.records = 10, .payload_bytes = 1000},
     .consumed = 4,
     .next = 5000},
    {.file = &files[2], .file_bytes = 8192, .writer = LOCK_HOLDER_UNKNOWN, .unreadable = true},
    {.file = &files[3],
     .file_bytes = 100,
     .survey = {.records = 1, .payload_bytes = 5, .damage = "why", .damage_offset = 4136}},
    {.file = &files[4], .survey = {.damage = "what", .damage_offset = 0}},
    {.file = &files[5], .file_bytes = 3},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void
test_set_aside(void **state)
{
    const struct segments_row row = {.file = &files[6],
                                     .file_bytes = 8192,
                                     .survey = {.records = 1, .payload_bytes = 30},
                                     .aside_of = &aside_output};
    (void)state;
    FILE *out = begin();
    assert_int_equal(segments_report_segments(out, &row, 1), 0);
    segments_report_aside(out, &row, 1);
    segments_report_verdict(out, &row, 1, 0);
    expect(out, " SLOT INCARNATION NUMBER STATE WRITER RECORDS PAYLOAD FILE CONSUMED NEXT NOTE\n"
                "99999           5      6 aside -            1      30 8192        -    - -\n"
                "total           -      1 -     -            1      30 8192        0    - -\n"
                "\naside: aside/x.segment: 1 record, 30 bytes of text, for stdout\n"
                "\nverify: 1 file, 1 record, 1 set aside and not delivered, no damage\n");
}

static void
test_segments(void **state)
{
    (void)state;
    FILE *out = begin();
    assert_int_equal(segments_report_segments(out, rows, ROW_COUNT), 0);
    expect(out,
           " SLOT INCARNATION NUMBER STATE       WRITER RECORDS PAYLOAD  FILE CONSUMED NEXT NOTE\n"
           "    0          17      2 new         71           -       -  8192        -    - -\n"
           "    0          17      1 open        -           10    1000  8192        4 5000 -\n"
           "   12           3      0 sealed      ?            -       -  8192        -    - "
           "unreadable\n"
           "    0           1      0 quarantined -            1       5   100        -    - "
           "damaged at 4136\n"
           "total           -      4 -           -           11    1005 24676        4    - -\n");
}

static void
test_outputs(void **state)
{
    (void)state;
    char name[] = "a b/\xc3\xa4\\";
    char text[] = "";
    struct segments_output standard = {.kind = SEGMENT_STANDARD_OUTPUT, .name = text};
    struct segments_output file = {.kind = SEGMENT_FILE,
                                   .name = name,
                                   .name_bytes = strlen(name),
                                   .has_ledger = true,
                                   .mark = {1, 2, 300, 40},
                                   .position_count = 2,
                                   .waiting_records = 5,
                                   .waiting_bytes = 600};
    struct segments_output *list[] = {&standard, &file};
    struct segments_outputs outputs = {.list = list, .count = 2};
    FILE *out = begin();
    assert_int_equal(segments_report_outputs(out, &outputs), 0);
    file.mark.length = 0;
    outputs.list++;
    outputs.count--;
    assert_int_equal(segments_report_outputs(out, &outputs), 0);
    expect(out, "STATE OFFSET LENGTH SEGMENTS WAITING BYTES DESTINATION\n"
                "none       -      -        -       0     0 stdout\n"
                "batch    300     40        2       5   600 file:a\\x20b/\\xc3\\xa4\\\\\n"
                "STATE   OFFSET LENGTH SEGMENTS WAITING BYTES DESTINATION\n"
                "settled    300      0        2       5   600 file:a\\x20b/\\xc3\\xa4\\\\\n");
}

static void
test_damage_and_verdict(void **state)
{
    const struct segments_row one = {.file = rows[0].file, .survey = {.records = 1}};
    (void)state;
    FILE *out = begin();
    segments_report_aside(out, rows, ROW_COUNT);
    assert_int_equal(segments_report_damage(out, rows, ROW_COUNT), 2);
    segments_report_verdict(out, rows, ROW_COUNT, 2);
    assert_int_equal(segments_report_damage(out, rows, 2), 0);
    segments_report_verdict(out, rows, 2, 0);
    segments_report_verdict(out, &one, 1, 0);
    expect(out, "\naside: quarantine/a\\x20b: 3 bytes\n"
                "\ndamage: quarantine/q: offset 4136: why\n"
                "damage: l: offset 0: what\n"
                "verify: 5 files, 11 records, 1 unreadable, 2 damaged\n"
                "\nverify: 2 files, 10 records, no damage\n"
                "\nverify: 1 file, 1 record, no damage\n");
}

static void
test_records(void **state)
{
    (void)state;
    const struct segment_record ended = {
        SEGMENT_FILE, {"a.txt", 5}, {"one\ntwo\n", 8}, 1552698123005999999};
    const struct segment_record unended = {
        SEGMENT_STANDARD_OUTPUT, {NULL, 0}, {"t\t\\\0\x1b[", 6}, 0};
    const struct segment_record empty = {SEGMENT_FILE, {"a", 1}, {"", 0}, 0};
    const struct segment_position at = {4096, 12};
    FILE *out = begin();
    segments_report_record(out, "f", &ended, at, SEGMENTS_WAITING, false);
    segments_report_record(out, "f", &ended, at, SEGMENTS_CONSUMED, true);
    segments_report_record(out, "f", &unended, at, SEGMENTS_ASIDE, true);
    segments_report_record(out, "f", &empty, at, SEGMENTS_ASIDE, false);
    expect(out, "f 12 4096 2019-03-16T01:02:03.005Z file:a.txt 8 waiting\none\ntwo\n"
                "f 12 4096 2019-03-16T01:02:03.005Z file:a.txt 8 consumed one\\ntwo\\n\n"
                "f 12 4096 - stdout 6 aside t\\t\\\\\\x00\\x1b[\n"
                "f 12 4096 - file:a 0 aside\n\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_aside), cmocka_unit_test(test_segments),
        cmocka_unit_test(test_outputs),   cmocka_unit_test(test_damage_and_verdict),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
