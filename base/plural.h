/* plural.h -- a count and its noun, for people: "1 record", "2 records". Used by every process. */
#ifndef MYGRPCADAPTER_BASE_PLURAL_H
#define MYGRPCADAPTER_BASE_PLURAL_H

#include <stdint.h>

/* Room for a count and a noun of up to 20 letters. */
#define PLURAL_BYTES 44

/* Writes the count and `noun`, which takes an "s" unless the count is 1. Returns `out`. */
const char *plural(char out[static PLURAL_BYTES], uint64_t count, const char *noun);

#endif
