/* quote.h -- bytes of unknown origin, shown to people: they stay on their line, move no cursor,
 * and can be told from each other. Used by every process.
 *
 * A byte that is printable ASCII stands for itself. A backslash is doubled; newline and tab are
 * "\n" and "\t"; any other byte is "\xNN". Where a double quote would end the quotation it is
 * escaped as well.
 */
#ifndef MYGRPCADAPTER_BASE_QUOTE_H
#define MYGRPCADAPTER_BASE_QUOTE_H

#include <stddef.h>
#include <stdio.h>

#include "base/bytes.h"

/* The least room for quote_bytes(): a mark that something was cut, and the NUL. */
#define QUOTE_BYTES_MIN 16U

/* Which printable bytes are escaped all the same; may be combined. */
enum quote_flag {
    QUOTE_PLAIN = 0,
    /* Double quotes: for a text that stands between some. */
    QUOTE_MARKS = 1,
    /* Spaces: for a text that is one word of a line. */
    QUOTE_SPACES = 2,
};

/* Writes the bytes, NUL-terminated, into `out`, which has room for `out_bytes` (at least
 * QUOTE_BYTES_MIN). A text too long is cut behind a whole byte's form and ends in "...".
 * Returns `out`. */
const char *quote_bytes(char *out, size_t out_bytes, struct bytes text, unsigned flags);

/* Writes all of the bytes to a stream. */
void quote_print(FILE *out, struct bytes text, unsigned flags);

#endif
