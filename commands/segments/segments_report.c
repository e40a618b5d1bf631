/* segments_report.c -- turns what was found into text. Runs in the process of `mygrpcadapter
 * segments`. */
#include "commands/segments/segments_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/lock_holder.h"
#include "base/plural.h"
#include "base/quote.h"
#include "commands/segments/segments_listing.h"
#include "commands/segments/segments_outputs.h"
#include "commands/segments/segments_table.h"

#define NOTHING "-"
#define SEGMENT_COLUMNS "rrrllrrrrrl"
#define OUTPUT_COLUMNS "lrrrrrl"

/* One word: "stdout", or "file:" and its name. */
static void
print_destination(FILE *out, enum segment_kind kind, struct bytes name)
{
    const char *word = segment_kind_word((uint16_t)kind);
    (void)fprintf(out, "%s%s", word == NULL ? "unknown" : word, name.size > 0 ? ":" : "");
    quote_print(out, name, QUOTE_SPACES);
}

/* UTC to the millisecond, as in the log; segments of version 1 do not say. */
static void
print_time(FILE *out, uint64_t ns)
{
    char text[32] = NOTHING;
    time_t seconds = (time_t)(ns / 1000000000U);
    struct tm utc;
    if (ns != 0 && gmtime_r(&seconds, &utc) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc) > 0)
        (void)fprintf(out, "%s.%03uZ", text, (unsigned)(ns / 1000000U % 1000U));
    else
        (void)fputs(NOTHING, out);
}

/* A cell: the number, or nothing to say. */
static void
add_number(struct segments_table *table, bool known, uint64_t number)
{
    if (known)
        segments_table_add(table, "%" PRIu64, number);
    else
        segments_table_add(table, NOTHING);
}

static void
add_heads(struct segments_table *table, const char *const *heads)
{
    for (; *heads != NULL; heads++)
        segments_table_add(table, "%s", *heads);
}

static const char *
state_name(const struct segments_file *file)
{
    static const char *const names[] = {[SEGMENT_STATE_NEW] = "new",
                                        [SEGMENT_STATE_OPEN] = "open",
                                        [SEGMENT_STATE_SEALED] = "sealed"};
    _Static_assert(sizeof(names) / sizeof(names[0]) == SEGMENT_STATES, "a name for each");
    switch (file->place) {
    case SEGMENTS_IN_ASIDE:
        return "aside";
    case SEGMENTS_IN_QUARANTINE:
        return "quarantined";
    case SEGMENTS_AT_WORK:
        break;
    }
    return names[file->state];
}

static void
add_writer(struct segments_table *table, long writer)
{
    if (writer == LOCK_HOLDER_UNKNOWN)
        segments_table_add(table, "?");
    else
        add_number(table, writer != 0, (uint64_t)writer);
}

static void
add_note(struct segments_table *table, const struct segments_row *row)
{
    if (row->unreadable)
        segments_table_add(table, "unreadable");
    else if (row->survey.damage != NULL)
        segments_table_add(table, "damaged at %" PRIu64, row->survey.damage_offset);
    else
        segments_table_add(table, NOTHING);
}

static void
add_segment(struct segments_table *table, const struct segments_row *row)
{
    const struct segments_file *file = row->file;
    bool read =
        !row->unreadable && (file->place != SEGMENTS_AT_WORK || file->state != SEGMENT_STATE_NEW);
    bool has_fate = read && file->place == SEGMENTS_AT_WORK;
    segments_table_add(table, "%" PRIu32, file->identity.slot);
    segments_table_add(table, "%" PRIu64, file->identity.incarnation);
    segments_table_add(table, "%" PRIu64, file->identity.number);
    segments_table_add(table, "%s", state_name(file));
    add_writer(table, row->writer);
    add_number(table, read, row->survey.records);
    add_number(table, read, row->survey.payload_bytes);
    add_number(table, true, row->file_bytes);
    add_number(table, has_fate, row->consumed);
    add_number(table, has_fate && row->next != 0, row->next);
    add_note(table, row);
}

static bool
is_segment(const struct segments_row *row)
{
    return row->file->kind == SEGMENTS_FILE_SEGMENT;
}

int
segments_report_segments(FILE *out, const struct segments_row *rows, size_t count)
{
    static const char *const heads[] = {"SLOT",     "INCARNATION", "NUMBER",  "STATE",
                                        "WRITER",   "RECORDS",     "PAYLOAD", "FILE",
                                        "CONSUMED", "NEXT",        "NOTE",    NULL};
    struct segments_table table;
    struct segments_row total = {.file = NULL};
    size_t segments = 0;
    segments_table_init(&table, SEGMENT_COLUMNS);
    add_heads(&table, heads);
    for (size_t i = 0; i < count; i++) {
        if (!is_segment(&rows[i]))
            continue;
        add_segment(&table, &rows[i]);
        segments++;
        total.survey.records += rows[i].survey.records;
        total.survey.payload_bytes += rows[i].survey.payload_bytes;
        total.file_bytes += rows[i].file_bytes;
        total.consumed += rows[i].consumed;
    }
    segments_table_add(&table, "total");
    segments_table_add(&table, NOTHING);
    add_number(&table, true, segments);
    segments_table_add(&table, NOTHING);
    segments_table_add(&table, NOTHING);
    add_number(&table, true, total.survey.records);
    add_number(&table, true, total.survey.payload_bytes);
    add_number(&table, true, total.file_bytes);
    add_number(&table, true, total.consumed);
    segments_table_add(&table, NOTHING);
    segments_table_add(&table, NOTHING);
    return segments_table_print(&table, out);
}

/* The cell with the output's destination. */
static void
add_destination(struct segments_table *table, const struct segments_output *output)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory != NULL) {
        print_destination(memory, output->kind, (struct bytes){output->name, output->name_bytes});
        (void)fclose(memory);
    }
    if (text == NULL)
        table->failed = true;
    else
        segments_table_add(table, "%s", text);
    free(text);
}

static const char *
ledger_state_name(const struct segments_output *output)
{
    if (!output->has_ledger)
        return "none";
    return output->mark.length == 0 ? "settled" : "batch";
}

int
segments_report_outputs(FILE *out, const struct segments_outputs *outputs)
{
    static const char *const heads[] = {"STATE",   "OFFSET", "LENGTH",      "SEGMENTS",
                                        "WAITING", "BYTES",  "DESTINATION", NULL};
    struct segments_table table;
    segments_table_init(&table, OUTPUT_COLUMNS);
    add_heads(&table, heads);
    for (size_t i = 0; i < outputs->count; i++) {
        const struct segments_output *output = outputs->list[i];
        segments_table_add(&table, "%s", ledger_state_name(output));
        add_number(&table, output->has_ledger, output->mark.offset);
        add_number(&table, output->has_ledger, output->mark.length);
        add_number(&table, output->has_ledger, output->position_count);
        add_number(&table, true, output->waiting_records);
        add_number(&table, true, output->waiting_bytes);
        add_destination(&table, output);
    }
    return segments_table_print(&table, out);
}

/* What there is to say of a file in aside/ or quarantine/. */
static void
print_aside(FILE *out, const struct segments_row *row)
{
    char bytes[PLURAL_BYTES];
    char records[PLURAL_BYTES];
    (void)fprintf(out, "aside: ");
    quote_print(out, (struct bytes){row->file->name, strlen(row->file->name)}, QUOTE_SPACES);
    if (row->aside_of == NULL) {
        (void)fprintf(out, ": %s\n", plural(bytes, row->file_bytes, "byte"));
        return;
    }
    (void)fprintf(out, ": %s, %s of text, for ", plural(records, row->survey.records, "record"),
                  plural(bytes, row->survey.payload_bytes, "byte"));
    print_destination(out, row->aside_of->kind,
                      (struct bytes){row->aside_of->name, row->aside_of->name_bytes});
    (void)fputc('\n', out);
}

void
segments_report_aside(FILE *out, const struct segments_row *rows, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].file->place == SEGMENTS_AT_WORK ||
            (is_segment(&rows[i]) && rows[i].aside_of == NULL))
            continue;
        if (!any)
            (void)fputc('\n', out);
        any = true;
        print_aside(out, &rows[i]);
    }
}

size_t
segments_report_damage(FILE *out, const struct segments_row *rows, size_t count)
{
    size_t damaged = 0;
    for (size_t i = 0; i < count; i++) {
        const struct segments_survey *survey = &rows[i].survey;
        if (survey->damage == NULL)
            continue;
        if (damaged++ == 0)
            (void)fputc('\n', out);
        (void)fprintf(out, "damage: %s: offset %" PRIu64 ": %s\n", rows[i].file->name,
                      survey->damage_offset, survey->damage);
    }
    return damaged;
}

void
segments_report_verdict(FILE *out, const struct segments_row *rows, size_t count, size_t damaged)
{
    char files_text[PLURAL_BYTES];
    char records_text[PLURAL_BYTES];
    size_t files = 0;
    size_t unreadable = 0;
    uint64_t records = 0;
    uint64_t aside = 0;
    for (size_t i = 0; i < count; i++) {
        files += rows[i].file->kind != SEGMENTS_FILE_OTHER;
        unreadable += rows[i].unreadable;
        records += rows[i].survey.records;
        aside += rows[i].aside_of == NULL ? 0 : rows[i].survey.records;
    }
    (void)fprintf(out, "%sverify: %s, %s, ", damaged == 0 ? "\n" : "",
                  plural(files_text, files, "file"), plural(records_text, records, "record"));
    if (unreadable > 0)
        (void)fprintf(out, "%zu unreadable, ", unreadable);
    if (aside > 0)
        (void)fprintf(out, "%" PRIu64 " set aside and not delivered, ", aside);
    if (damaged == 0)
        (void)fprintf(out, "no damage\n");
    else
        (void)fprintf(out, "%zu damaged\n", damaged);
}

static const char *
fate_name(enum segments_fate fate)
{
    switch (fate) {
    case SEGMENTS_CONSUMED:
        return "consumed";
    case SEGMENTS_WAITING:
        return "waiting";
    case SEGMENTS_ASIDE:
        return "aside";
    }
    return NOTHING;
}

void
segments_report_record(FILE *out, const char *file_name, const struct segment_record *record,
                       struct segment_position at, enum segments_fate fate, bool escape)
{
    struct bytes text = record->payload;
    (void)fprintf(out, "%s %" PRIu64 " %" PRIu64 " ", file_name, at.sequence, at.offset);
    print_time(out, record->appended_ns);
    (void)fputc(' ', out);
    print_destination(out, record->kind, record->name);
    (void)fprintf(out, " %zu %s%s", text.size, fate_name(fate), escape ? " " : "\n");
    if (escape)
        quote_print(out, text, QUOTE_PLAIN);
    else
        (void)fwrite(text.data, 1, text.size, out);
    if (escape || text.size == 0 || text.data[text.size - 1] != '\n')
        (void)fputc('\n', out);
}
