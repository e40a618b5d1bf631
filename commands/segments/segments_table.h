/* segments_table.h -- lines of words in aligned columns.
 *
 * Nothing is printed before all is known, since the widths follow from it. Runs in the process of
 * `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_TABLE_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SEGMENTS_TABLE_COLUMNS_MAX 16U

struct segments_table {
    const char *alignment; /* borrowed; a letter for each column: l or r */
    char **cells;          /* line by line */
    size_t count;
    size_t capacity;
    bool failed; /* without memory */
};

/* A table without lines. */
void segments_table_init(struct segments_table *table, const char *alignment);

/* Adds the next cell, line by line. */
__attribute__((format(printf, 2, 3))) void segments_table_add(struct segments_table *table,
                                                              const char *format, ...);

/* Writes the table and frees it. Returns 0, or -ENOMEM if there was no memory for a cell; then
 * nothing is written. */
int segments_table_print(struct segments_table *table, FILE *out);

#endif
