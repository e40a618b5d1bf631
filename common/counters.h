/* counters.h -- what is counted and shown: one table, one row each. Used by every process.
 *
 * A new counter is a row here and a tally_add() where it happens. Of the rows are made the fields
 * of the tallies (common/tally.h) and all that /metrics says (admin/metrics_text.c); README.md's
 * table groups the metrics by what a person asks, and tests hold it and manifests/monitoring/ to
 * what there is. A list is what one thread writes.
 *
 *     NUMBER(field, type, metric, help)
 *         A number; a worker's has the label "worker".
 *     FAMILY(field, count, type, metric, labels, help)
 *         Numbers that labels tell apart.
 *     HISTOGRAM(field, metric, help)
 *         Durations.
 *     HIDDEN(field)
 *         A number that has no metric of its own.
 *     SEEN(metric, type, labels, help)
 *         A metric of what is not counted, but stands elsewhere in the scoreboard.
 *
 * A FAMILY or SEEN needs a function as well, which metrics_text.c has: write_FIELD(),
 * write_METRIC().
 */
#ifndef MYGRPCADAPTER_COMMON_COUNTERS_H
#define MYGRPCADAPTER_COMMON_COUNTERS_H

#include "common/refusal_causes.h"

/* By a worker's main thread, of HandleMetric calls but for `unknown`. Calls begun and not ended
 * are in flight; request_bytes, instances and text_bytes are of the calls that were accepted. */
#define COUNTERS_OF_WORKER_LOOP(NUMBER, FAMILY, HISTOGRAM, HIDDEN)                                 \
    HIDDEN(begun)                                                                                  \
    HIDDEN(ended)                                                                                  \
    NUMBER(request_bytes, "counter", "request_bytes_total",                                        \
           "Bytes of the requests that were accepted.")                                            \
    NUMBER(instances, "counter", "instances_total",                                                \
           "Metric instances in the calls that were accepted.")                                    \
    NUMBER(text_bytes, "counter", "text_bytes_total",                                              \
           "Bytes of text that the accepted calls became.")                                        \
    NUMBER(unknown, "counter", "unknown_method_calls_total",                                       \
           "Calls of a method that the adapter does not have, as Mixer makes them for another "    \
           "template.")                                                                            \
    FAMILY(statuses, TALLY_STATUSES, "counter", "calls_total", "worker,code",                      \
           "Calls answered, by gRPC status code.")                                                 \
    FAMILY(refusals, REFUSAL_CAUSE_COUNT, "counter", "calls_refused_total", "cause",               \
           "Calls refused, by cause.")                                                             \
    HISTOGRAM(durations, "call_duration_seconds",                                                  \
              "From taking a call until its answer is out (with durability \"machine\", the wait " \
              "for the disk included).")

/* By a worker's acceptor. */
#define COUNTERS_OF_ACCEPTOR(NUMBER, FAMILY, HISTOGRAM, HIDDEN)                                    \
    NUMBER(accepted, "counter", "connections_accepted_total", "Connections taken.")

/* By the collector. oldest_ns is when the oldest record known not to be delivered was appended, in
 * nanoseconds since the epoch; 0 = there is none. */
#define COUNTERS_OF_COLLECTOR(NUMBER, FAMILY, HISTOGRAM, HIDDEN)                                   \
    NUMBER(records, "counter", "records_delivered_total",                                          \
           "Records, one for each accepted call, written to their outputs.")                       \
    NUMBER(bytes, "counter", "delivered_bytes_total", "Bytes of text written to the outputs.")     \
    NUMBER(quarantined, "counter", "quarantined_total",                                            \
           "Damaged segments and ledgers that were set aside in quarantine/.")                     \
    NUMBER(quarantine_files, "gauge", "quarantine_files", "Files in quarantine/ now.")             \
    NUMBER(                                                                                        \
        records_aside, "counter", "records_set_aside_total",                                       \
        "Records that an operator had set aside; they are not delivered until they are put back.") \
    NUMBER(aside_files, "gauge", "set_aside_files", "Files with records that were set aside.")     \
    NUMBER(aside_bytes, "gauge", "set_aside_bytes", "Bytes of these files.")                       \
    HISTOGRAM(lags, "merge_lag_seconds",                                                           \
              "From the append of a record to its delivery to its output.")                        \
    NUMBER(segments, "gauge", "segments",                                                          \
           "Segment files that wait to be merged or are being written.")                           \
    NUMBER(segment_bytes, "gauge", "segment_bytes", "Bytes of the segment files.")                 \
    NUMBER(unmerged_bytes, "gauge", "segment_unmerged_bytes",                                      \
           "Bytes of the segment files, at most, that hold what is not delivered.")                \
    NUMBER(outputs, "gauge", "outputs", "Outputs that the collector knows of.")                    \
    NUMBER(outputs_refusing, "gauge", "outputs_refusing", "Outputs that cannot be written now.")   \
    HIDDEN(oldest_ns)

/* By the master, for the process in a slot. */
#define COUNTERS_OF_MASTER(NUMBER, FAMILY, HISTOGRAM, HIDDEN)                                      \
    FAMILY(deaths, TALLY_DEATHS, "counter", "process_restarts_total", "role,slot,cause",           \
           "Processes that ended without being told to, by cause.")

/* Counted by nobody. */
#define METRICS_SEEN(SEEN)                                                                         \
    SEEN(build_info, "gauge", "version", "1, with the version of the program.")                    \
    SEEN(start_time_seconds, "gauge", "", "When the adapter started, since the epoch.")            \
    SEEN(workers, "gauge", "", "Worker processes that there should be.")                           \
    SEEN(ready, "gauge", "", "1 while calls are taken, as /readyz says.")                          \
    SEEN(worker_connections_limit, "gauge", "", "workers.max_connections.")                        \
    SEEN(worker_segment_limit_bytes, "gauge", "",                                                  \
         "segments.limit_bytes: of the unmerged segments of one worker.")                          \
    SEEN(process_healthy, "gauge", "role,slot",                                                    \
         "1 for a process that serves and that nothing speaks against.")                           \
    SEEN(calls_in_flight, "gauge", "worker", "Calls taken whose answer is not out.")               \
    SEEN(connections, "gauge", "worker", "Connections open now.")                                  \
    SEEN(worker_refusing, "gauge", "worker",                                                       \
         "1 while a worker refuses every call: it has no segment to append to, or the volume is "  \
         "not in its place.")                                                                      \
    SEEN(merge_oldest_record_seconds, "gauge", "",                                                 \
         "Age of the oldest record known not to be delivered; 0 = there is none.")                 \
    SEEN(volume_free_bytes, "gauge", "volume",                                                     \
         "Bytes free for the adapter on a volume it writes to.")

#endif
