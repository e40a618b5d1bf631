/* number.h -- numbers among the arguments of the commands of a person. Runs in the processes of
 * `mygrpcadapter send`, `health` and `status`. */
#ifndef MYGRPCADAPTER_COMMANDS_NUMBER_H
#define MYGRPCADAPTER_COMMANDS_NUMBER_H

#include <stdint.h>

/* Reads a whole number from 1 to `max`: decimal digits, and nothing before or behind them. Returns
 * 0, or -EINVAL with *out as it was. */
int number_parse(uint64_t *out, const char *text, uint64_t max);

#endif
