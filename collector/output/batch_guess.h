/* batch_guess.h -- which records an unfinished batch has of which the ledger does not say it. Runs
 * in the collector, at recovery.
 *
 * Ledgers of version 1 told of a batch by its length alone. Of one that an earlier release left
 * unfinished, what stands in the output says whose records it had.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_BATCH_GUESS_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_BATCH_GUESS_H

struct output;
struct sources;

/* Sets the runs of the output's unfinished batch: the records that stand behind its mark, whole or
 * begun. All others come as if they had never been tried. Returns 0 or a negative errno. */
int batch_guess(struct output *output, struct sources *sources);

#endif
