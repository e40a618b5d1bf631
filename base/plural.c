/* plural.c -- words a count. Runs in every process. */
#include "base/plural.h"

#include <inttypes.h>
#include <stdio.h>

const char *
plural(char out[static PLURAL_BYTES], uint64_t count, const char *noun)
{
    (void)snprintf(out, PLURAL_BYTES, "%" PRIu64 " %s%s", count, noun, count == 1 ? "" : "s");
    return out;
}
