/* call_refusal.c -- fills a refusal. Runs in a worker. */
#include "worker/call_refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/invariant.h"

bool
call_refuse(struct call_refusal *refusal, enum refusal_cause cause, const char *format, ...)
{
    INVARIANT(cause < REFUSAL_CAUSE_COUNT);
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(refusal->text, sizeof(refusal->text), format, arguments) < 0)
        refusal->text[0] = '\0';
    va_end(arguments);
    refusal->cause = cause;
    return false;
}

enum refusal_cause
call_refusal_cause_of_error(int error)
{
    INVARIANT(error < 0);
    switch (-error) {
    case ENOSPC:
    case EDQUOT:
        return REFUSAL_VOLUME_FULL;
    case EFBIG:
        return REFUSAL_TOO_LARGE;
    case ENOMEM:
        return REFUSAL_NO_MEMORY;
    default:
        return REFUSAL_SYSTEM;
    }
}
