/* number.c -- reads a number that a person has typed. Runs in the processes of `mygrpcadapter
 * send`, `health` and `status`. */
#include "commands/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
number_parse(uint64_t *out, const char *text, uint64_t max)
{
    /* strtoull() would take blanks and signs as well. */
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return -EINVAL;
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno == ERANGE || number < 1 || number > max)
        return -EINVAL;
    *out = number;
    return 0;
}
