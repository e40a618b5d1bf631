/* invariant.c -- the end of a process that broke a promise of its own. Runs in every process. */
#include "base/invariant.h"

#include <stdlib.h>

#include "base/log.h"

void
invariant_failed(const char *file, int line, const char *function, const char *condition)
{
    log_write(LOG_LEVEL_ERROR, "a promise of our own code is broken",
              LOG_FIELDS(log_string("condition", condition), log_string("function", function),
                         log_string("file", file), log_i64("line", line)));
    abort();
}
