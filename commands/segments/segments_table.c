/* segments_table.c -- keeps cells, and prints them once the widths are known. Runs in the process
 * of `mygrpcadapter segments`. */
#include "commands/segments/segments_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"

void
segments_table_init(struct segments_table *table, const char *alignment)
{
    INVARIANT(strlen(alignment) <= SEGMENTS_TABLE_COLUMNS_MAX);
    *table = (struct segments_table){.alignment = alignment};
}

void
segments_table_add(struct segments_table *table, const char *format, ...)
{
    char *cell = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&cell, format, arguments);
    va_end(arguments);
    if (length < 0) {
        table->failed = true;
    } else if (ARRAY_RESERVE(table->cells, table->capacity, table->count + 1) != 0) {
        free(cell);
        table->failed = true;
    } else {
        table->cells[table->count++] = cell;
    }
}

static void
print_line(const struct segments_table *table, char *const *line, const size_t *widths,
           size_t columns, FILE *out)
{
    for (size_t column = 0; column < columns; column++) {
        int width = (int)widths[column];
        const char *before = column == 0 ? "" : " ";
        if (table->alignment[column] == 'r')
            (void)fprintf(out, "%s%*s", before, width, line[column]);
        else if (column + 1 < columns)
            (void)fprintf(out, "%s%-*s", before, width, line[column]);
        else
            (void)fprintf(out, "%s%s", before, line[column]);
    }
    (void)fputc('\n', out);
}

int
segments_table_print(struct segments_table *table, FILE *out)
{
    size_t columns = strlen(table->alignment);
    size_t widths[SEGMENTS_TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->count; i++) {
        size_t width = strlen(table->cells[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = 0; !table->failed && i + columns <= table->count; i += columns)
        print_line(table, table->cells + i, widths, columns, out);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    int result = table->failed ? -ENOMEM : 0;
    segments_table_init(table, table->alignment);
    return result;
}
