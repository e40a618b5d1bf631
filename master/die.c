/* die.c -- the end of a process that cannot start. Runs in the master before it forks. */
#include "master/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/complaint.h"
#include "base/log.h"

#define PROGRAM_PREFIX "mygrpcadapter: "

void
die(int exit_code, const char *format, ...)
{
    struct complaint complaint = {.exit_code = exit_code};
    va_list arguments;
    va_start(arguments, format);
    (void)complain_with(&complaint, exit_code, format, arguments);
    va_end(arguments);
    char line[sizeof(complaint.text) + sizeof(PROGRAM_PREFIX)];
    (void)snprintf(line, sizeof(line), PROGRAM_PREFIX "%s", complaint.text);
    log_write_bare(LOG_LEVEL_ERROR, line);
    exit(exit_code);
}
