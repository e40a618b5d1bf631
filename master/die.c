/* die.c -- complaints, and the end of a process that cannot start. Runs in the master before it
 * forks. */
#include "master/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* Formats into `text`, cut to COMPLAINT_BYTES, and keeps it one line. */
__attribute__((format(printf, 2, 0))) static void
format_line(char text[COMPLAINT_BYTES], const char *format, va_list arguments)
{
    if (vsnprintf(text, COMPLAINT_BYTES, format, arguments) < 0)
        text[0] = '\0';
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    }
}

int
complain(struct complaint *complaint, int exit_code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_line(complaint->text, format, arguments);
    va_end(arguments);
    complaint->exit_code = exit_code;
    return exit_code;
}

void
die(int exit_code, const char *format, ...)
{
    char text[COMPLAINT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_line(text, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "%smygrpcadapter: %s\n", log_prefix(LOG_LEVEL_ERROR), text);
    exit(exit_code);
}
