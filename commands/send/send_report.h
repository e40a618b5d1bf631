/* send_report.h -- what `mygrpcadapter send` tells a person: the progress line, the summary of many
 * calls, the answer to a single one.
 *
 * The summary is one "name: value" a line, so that scripts can read it too. Runs in the process of
 * `mygrpcadapter send`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_REPORT_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_REPORT_H

#include <stdint.h>
#include <stdio.h>

struct send_load_tally;

/* Writes over the progress line on standard error, if that is a terminal. */
void send_report_progress(const struct send_load_tally *tally);

/* Takes the progress line away, if there is one. */
void send_report_end_progress(void);

/* Writes what became of the calls: for a single one its answer, else the summary. `instance_count`
 * is that of each call, 0 if not known. */
void send_report_print(FILE *out, const struct send_load_tally *tally, uint64_t instance_count);

#endif
