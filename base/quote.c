/* quote.c -- how a byte is shown to people. Used by every process. */
#include "base/quote.h"

#include <string.h>

#include "base/invariant.h"

#define FORM_BYTES_MAX 5 /* of "\xNN" and its NUL */
#define CUT "..."

/* The form of one byte; returns how many characters it has. */
static size_t
form_of(char form[static FORM_BYTES_MAX], unsigned char byte, unsigned flags)
{
    static const char hex[] = "0123456789abcdef";
    char letter = '\0';
    form[0] = '\\';
    if (byte == '\n')
        letter = 'n';
    else if (byte == '\t')
        letter = 't';
    else if (byte == '\\' || (byte == '"' && (flags & QUOTE_MARKS) != 0))
        letter = (char)byte;
    if (letter != '\0') {
        form[1] = letter;
        return 2;
    }
    if (byte < ' ' || byte >= 0x7f || (byte == ' ' && (flags & QUOTE_SPACES) != 0)) {
        form[1] = 'x';
        form[2] = hex[byte >> 4];
        form[3] = hex[byte & 15];
        return 4;
    }
    form[0] = (char)byte;
    return 1;
}

const char *
quote_bytes(char *out, size_t out_bytes, struct bytes text, unsigned flags)
{
    INVARIANT(out_bytes >= QUOTE_BYTES_MIN);
    size_t used = 0;
    size_t whole = 0; /* what may stay if the end has to be cut off for the mark */
    char form[FORM_BYTES_MAX];
    for (size_t i = 0; i < text.size; i++) {
        size_t bytes = form_of(form, (unsigned char)text.data[i], flags);
        if (used + bytes >= out_bytes) {
            memcpy(out + whole, CUT, sizeof(CUT));
            return out;
        }
        memcpy(out + used, form, bytes);
        used += bytes;
        if (used + sizeof(CUT) <= out_bytes)
            whole = used;
    }
    out[used] = '\0';
    return out;
}

void
quote_print(FILE *out, struct bytes text, unsigned flags)
{
    char form[FORM_BYTES_MAX];
    for (size_t i = 0; i < text.size; i++) {
        size_t bytes = form_of(form, (unsigned char)text.data[i], flags);
        (void)fwrite(form, 1, bytes, out);
    }
}
