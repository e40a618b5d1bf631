/* complaint.c -- formats a complaint. Used by every process, before it serves. */
#include "base/complaint.h"

#include <stdio.h>

#include "base/invariant.h"

int
complain_with(struct complaint *complaint, int exit_code, const char *format, va_list arguments)
{
    /* It is returned for "failed", which 0 is not. */
    INVARIANT(exit_code != 0);
    if (vsnprintf(complaint->text, sizeof(complaint->text), format, arguments) < 0)
        complaint->text[0] = '\0';
    for (char *at = complaint->text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    }
    complaint->exit_code = exit_code;
    return exit_code;
}

int
complain(struct complaint *complaint, int exit_code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)complain_with(complaint, exit_code, format, arguments);
    va_end(arguments);
    return exit_code;
}
