/* metrics_text.c -- one table of all metrics, and a way to write each kind of them.
 *
 * Counters go on over the deaths of processes; what is here of them began with the adapter. A metric of
 * one number for each worker, or one for all, is a row; those with labels of their own have a function.
 */
#include "admin/metrics_text.h"

#include <inttypes.h>
#include <stddef.h>

#include "common/role.h"
#include "common/scoreboard.h"

#define PREFIX "mygrpcadapter_"

/* Statuses that the adapter answers with; others appear once they have been given. */
#define USUAL_STATUSES (1U << 0 | 1U << 3 | 1U << 8 | 1U << 14)

enum place { PLACE_WORKER, PLACE_COLLECTOR };

/* A 64-bit number in the scoreboard. */
struct row {
    const char *name;
    const char *type;
    const char *help;
    enum place place;
    size_t offset; /* in struct worker_tally, or struct collector_tally */
};

#define WORKER(field) PLACE_WORKER, offsetof(struct worker_tally, field)
#define COLLECTOR(field) PLACE_COLLECTOR, offsetof(struct collector_tally, field)

static const struct row rows[] = {
    {"request_bytes_total", "counter", "Bytes of the requests that were accepted.",
     WORKER(request_bytes)},
    {"instances_total", "counter", "Metric instances in the calls that were accepted.",
     WORKER(instances)},
    {"text_bytes_total", "counter", "Bytes of text that the accepted calls became.",
     WORKER(text_bytes)},
    {"connections_accepted_total", "counter", "Connections taken.", WORKER(accepted)},
    {"unknown_method_calls_total", "counter",
     "Calls of a method that the adapter does not have, as Mixer makes them for another template.",
     WORKER(unknown)},
    {"records_delivered_total", "counter",
     "Records, one for each accepted call, written to their outputs.", COLLECTOR(records)},
    {"delivered_bytes_total", "counter", "Bytes of text written to the outputs.", COLLECTOR(bytes)},
    {"quarantined_total", "counter",
     "Segments, ledgers and outputs whose records were set aside in quarantine/.",
     COLLECTOR(quarantined)},
    {"segments", "gauge", "Segment files that wait to be merged or are being written.",
     COLLECTOR(segments)},
    {"segment_bytes", "gauge", "Bytes of the segment files.", COLLECTOR(segment_bytes)},
    {"segment_unmerged_bytes", "gauge",
     "Bytes of the segment files, at most, that hold what is not delivered.",
     COLLECTOR(unmerged_bytes)},
    {"outputs", "gauge", "Outputs that the collector knows of.", COLLECTOR(outputs)},
    {"outputs_refusing", "gauge", "Outputs that cannot be written now.",
     COLLECTOR(outputs_refusing)},
};

static void
begin(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static uint64_t
number_at(const void *tally, size_t offset)
{
    return tally_get((const _Atomic uint64_t *)(const void *)((const char *)tally + offset));
}

static void
write_row(FILE *out, const struct scoreboard *scoreboard, const struct row *row)
{
    begin(out, row->name, row->type, row->help);
    if (row->place == PLACE_COLLECTOR) {
        (void)fprintf(out, PREFIX "%s %" PRIu64 "\n", row->name,
                      number_at(&scoreboard->collector, row->offset));
        return;
    }
    for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++)
        (void)fprintf(out, PREFIX "%s{worker=\"%" PRIu32 "\"} %" PRIu64 "\n", row->name, i,
                      number_at(&scoreboard->slots[i].worker, row->offset));
}

/* ---- those with labels of their own */

static void
write_calls(FILE *out, const struct scoreboard *scoreboard)
{
    begin(out, "calls_total", "counter", "Calls answered, by gRPC status code.");
    for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++) {
        for (uint32_t status = 0; status < TALLY_STATUSES; status++) {
            uint64_t count = tally_get(&scoreboard->slots[i].worker.statuses[status]);
            if (count > 0 || (USUAL_STATUSES >> status & 1U) != 0)
                (void)fprintf(
                    out, PREFIX "calls_total{worker=\"%" PRIu32 "\",code=\"%s\"} %" PRIu64 "\n", i,
                    tally_status_name(status), count);
        }
    }
}

static void
write_refusals(FILE *out, const struct scoreboard *scoreboard)
{
    begin(out, "calls_refused_total", "counter", "Calls refused, by cause.");
    for (uint32_t cause = 0; cause < REFUSAL_CAUSE_COUNT; cause++) {
        uint64_t count = 0;
        for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++)
            count += tally_get(&scoreboard->slots[i].worker.refusals[cause]);
        (void)fprintf(out, PREFIX "calls_refused_total{cause=\"%s\"} %" PRIu64 "\n",
                      refusal_cause_label(cause), count);
    }
}

static void
write_workers(FILE *out, const struct scoreboard *scoreboard)
{
    begin(out, "calls_in_flight", "gauge", "Calls taken whose answer is not out.");
    for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++)
        (void)fprintf(out, PREFIX "calls_in_flight{worker=\"%" PRIu32 "\"} %" PRIu64 "\n", i,
                      scoreboard_in_flight(scoreboard, i));
    begin(out, "connections", "gauge", "Connections open now.");
    for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++)
        (void)fprintf(
            out, PREFIX "connections{worker=\"%" PRIu32 "\"} %" PRIu32 "\n", i,
            atomic_load_explicit(&scoreboard->slots[i].connections, memory_order_relaxed));
    begin(out, "worker_refusing", "gauge",
          "1 while a worker has no segment to append to and refuses every call.");
    for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++)
        (void)fprintf(out, PREFIX "worker_refusing{worker=\"%" PRIu32 "\"} %" PRIu32 "\n", i,
                      atomic_load_explicit(&scoreboard->slots[i].refuses, memory_order_relaxed));
}

/* The sum of histograms that are `stride` bytes apart. */
static void
write_histogram(FILE *out, const char *name, const char *help,
                const struct tally_histogram *histogram, size_t stride, uint32_t count)
{
    uint64_t total = 0;
    double sum = 0;
    begin(out, name, "histogram", help);
    for (uint32_t bucket = 0; bucket <= TALLY_BUCKETS; bucket++) {
        for (uint32_t i = 0; i < count; i++)
            total +=
                number_at((const char *)histogram + i * stride,
                          offsetof(struct tally_histogram, buckets) + bucket * sizeof(uint64_t));
        if (bucket < TALLY_BUCKETS)
            (void)fprintf(out, PREFIX "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                          (double)tally_bounds_ns[bucket] / 1e9, total);
    }
    for (uint32_t i = 0; i < count; i++)
        sum += (double)number_at((const char *)histogram + i * stride,
                                 offsetof(struct tally_histogram, sum_ns));
    (void)fprintf(out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, total);
    (void)fprintf(out, PREFIX "%s_sum %.9f\n" PREFIX "%s_count %" PRIu64 "\n", name, sum / 1e9,
                  name, total);
}

static void
write_processes(FILE *out, const struct scoreboard *scoreboard)
{
    begin(out, "process_healthy", "gauge",
          "1 for a process that serves and that nothing speaks against.");
    for (uint32_t i = 0; i < scoreboard->slot_count; i++)
        (void)fprintf(
            out, PREFIX "process_healthy{role=\"%s\",slot=\"%" PRIu32 "\"} %" PRIu32 "\n",
            role_name(scoreboard_role(scoreboard, i)), i,
            atomic_load_explicit(&scoreboard->slots[i].process.healthy, memory_order_relaxed));
    begin(out, "process_restarts_total", "counter",
          "Processes that ended without being told to, by cause.");
    for (uint32_t i = 0; i < scoreboard->slot_count; i++) {
        for (uint32_t death = 0; death < TALLY_DEATHS; death++)
            (void)fprintf(out,
                          PREFIX "process_restarts_total{role=\"%s\",slot=\"%" PRIu32
                                 "\",cause=\"%s\"} %" PRIu64 "\n",
                          role_name(scoreboard_role(scoreboard, i)), i, tally_death_name(death),
                          tally_get(&scoreboard->slots[i].process.deaths[death]));
    }
}

static void
write_facts(FILE *out, const struct scoreboard *scoreboard)
{
    const struct scoreboard_facts *facts = &scoreboard->facts;
    begin(out, "build_info", "gauge", "1, with the version of the program.");
    (void)fprintf(out, PREFIX "build_info{version=\"%s\"} 1\n", facts->version);
    begin(out, "start_time_seconds", "gauge", "When the adapter started, since the epoch.");
    (void)fprintf(out, PREFIX "start_time_seconds %.3f\n", (double)facts->started_ns / 1e9);
    begin(out, "workers", "gauge", "Worker processes that there should be.");
    (void)fprintf(out, PREFIX "workers %" PRIu32 "\n", facts->worker_count);
    begin(out, "ready", "gauge", "1 while calls are taken, as /readyz says.");
    (void)fprintf(out, PREFIX "ready %d\n",
                  scoreboard_serves(scoreboard, facts->worker_count) ? 1 : 0);
    begin(out, "worker_connections_limit", "gauge", "workers.max_connections.");
    (void)fprintf(out, PREFIX "worker_connections_limit %" PRIu64 "\n", facts->max_connections);
    begin(out, "worker_segment_limit_bytes", "gauge",
          "segments.limit_bytes: of the unmerged segments of one worker.");
    (void)fprintf(out, PREFIX "worker_segment_limit_bytes %" PRIu64 "\n",
                  facts->segments_limit_bytes);
}

static void
write_oldest(FILE *out, const struct scoreboard *scoreboard, uint64_t now_ns)
{
    uint64_t oldest_ns = tally_get(&scoreboard->collector.oldest_ns);
    double age = oldest_ns == 0 || oldest_ns > now_ns ? 0 : (double)(now_ns - oldest_ns) / 1e9;
    begin(out, "merge_oldest_record_seconds", "gauge",
          "Age of the oldest record known not to be delivered; 0 = there is none.");
    (void)fprintf(out, PREFIX "merge_oldest_record_seconds %.3f\n", age);
}

static void
write_room(FILE *out, const struct metrics_room *room)
{
    begin(out, "volume_free_bytes", "gauge",
          "Bytes free for the adapter on a volume it writes to.");
    (void)fprintf(out, PREFIX "volume_free_bytes{volume=\"output\"} %" PRIu64 "\n",
                  room->output_bytes);
    (void)fprintf(out, PREFIX "volume_free_bytes{volume=\"segments\"} %" PRIu64 "\n",
                  room->segments_bytes);
}

void
metrics_text_write(FILE *out, const struct scoreboard *scoreboard, const struct metrics_room *room,
                   uint64_t now_ns)
{
    write_facts(out, scoreboard);
    write_processes(out, scoreboard);
    write_calls(out, scoreboard);
    write_histogram(out, "call_duration_seconds",
                    "From taking a call until its answer is out (with durability \"machine\", the "
                    "wait for the disk included).",
                    &scoreboard->slots[0].worker.durations, sizeof(struct scoreboard_slot),
                    scoreboard->facts.worker_count);
    write_refusals(out, scoreboard);
    write_workers(out, scoreboard);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        write_row(out, scoreboard, &rows[i]);
    write_histogram(out, "merge_lag_seconds",
                    "From the append of a record to its delivery to its output.",
                    &scoreboard->collector.lags, 0, 1);
    write_oldest(out, scoreboard, now_ns);
    write_room(out, room);
}
