/* delivery_count.h -- what the collector has delivered, told to the scoreboard. Runs in the
 * collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_DELIVERY_COUNT_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_DELIVERY_COUNT_H

struct batch;
struct heritage;

/* Counts the records of a batch, which have reached the output named `output`, and writes a line
 * about the very first one since the adapter started. */
void delivery_count_add(const struct heritage *heritage, const char *output,
                        const struct batch *batch);

#endif
