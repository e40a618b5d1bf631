/* status_report.c -- what a person wants to know first, first. Runs in the process of
 * `mygrpcadapter status`. */
#include "commands/status/status_report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/plural.h"
#include "common/role.h"
#include "common/scoreboard.h"
#include "common/slot_state.h"

#define NS_PER_S UINT64_C(1000000000)
#define TEXT_BYTES 32

/* The sum of a counter over all workers. */
#define SUM_OF_WORKERS(scoreboard, field) sum_at((scoreboard), offsetof(struct worker_tally, field))

static uint64_t
sum_at(const struct scoreboard *scoreboard, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < scoreboard->facts.worker_count; i++) {
        const char *tally = (const char *)&scoreboard->slots[i].worker;
        sum += tally_get((const _Atomic uint64_t *)(const void *)(tally + offset));
    }
    return sum;
}

void
status_look_take(struct status_look *look, const struct scoreboard *scoreboard)
{
    *look = (struct status_look){
        .at_ns = clock_realtime_ns(),
        .calls = SUM_OF_WORKERS(scoreboard, begun),
        .instances = SUM_OF_WORKERS(scoreboard, instances),
        .text_bytes = SUM_OF_WORKERS(scoreboard, text_bytes),
        .delivered_bytes = tally_get(&scoreboard->collector.bytes),
    };
}

/* ---- words */

static const char *
bytes_text(uint64_t bytes, char text[static TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(text, TEXT_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

static const char *
duration_text(uint64_t seconds, char text[static TEXT_BYTES])
{
    (void)snprintf(text, TEXT_BYTES, "%" PRIu64 "d %02u:%02u:%02u", seconds / 86400,
                   (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
                   (unsigned)(seconds % 60));
    return text;
}

/* The bound of the bucket in which that share of all values lies. */
static const char *
percentile_text(const uint64_t buckets[static TALLY_BUCKETS + 1], double share,
                char text[static TEXT_BYTES])
{
    uint64_t total = 0;
    uint64_t below = 0;
    for (uint32_t i = 0; i <= TALLY_BUCKETS; i++)
        total += buckets[i];
    if (total == 0)
        return "-";
    for (uint32_t i = 0; i < TALLY_BUCKETS; i++) {
        below += buckets[i];
        if ((double)below >= share * (double)total) {
            (void)snprintf(text, TEXT_BYTES, "<= %g ms", (double)tally_bounds_ns[i] / 1e6);
            return text;
        }
    }
    (void)snprintf(text, TEXT_BYTES, "> %g ms", (double)tally_bounds_ns[TALLY_BUCKETS - 1] / 1e6);
    return text;
}

static void
write_percentiles(FILE *out, const uint64_t buckets[static TALLY_BUCKETS + 1])
{
    static const struct {
        const char *name;
        double share;
    } shares[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    char text[TEXT_BYTES];
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        (void)fprintf(out, "%s%s %s", i > 0 ? ", " : "", shares[i].name,
                      percentile_text(buckets, shares[i].share, text));
    (void)fputc('\n', out);
}

/* ---- parts */

static void
write_head(FILE *out, const struct scoreboard *scoreboard, pid_t pid, uint64_t now_ns)
{
    const struct scoreboard_facts *facts = &scoreboard->facts;
    char text[TEXT_BYTES];
    bool ready = scoreboard_serves(scoreboard, facts->worker_count);
    uint64_t up_ns = now_ns > facts->started_ns ? now_ns - facts->started_ns : 0;
    (void)fprintf(out, "mygrpcadapter %s, pid %ld, up %s: %s\n\n", facts->version, (long)pid,
                  duration_text(up_ns / NS_PER_S, text), ready ? "ready" : "NOT READY");
}

static uint64_t
deaths_of(const struct process_tally *process)
{
    uint64_t deaths = 0;
    for (uint32_t i = 0; i < TALLY_DEATHS; i++)
        deaths += tally_get(&process->deaths[i]);
    return deaths;
}

/* ---- the table of the processes */

static bool
is_worker(const struct scoreboard *scoreboard, uint32_t i)
{
    return scoreboard_role(scoreboard, i) == ROLE_WORKER;
}

static void
number_text(uint64_t number, char text[static TEXT_BYTES])
{
    (void)snprintf(text, TEXT_BYTES, "%" PRIu64, number);
}

static void
put_name(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    const char *role = role_name(scoreboard_role(scoreboard, i));
    if (is_worker(scoreboard, i))
        (void)snprintf(text, TEXT_BYTES, "%s %" PRIu32, role, i);
    else
        (void)snprintf(text, TEXT_BYTES, "%s", role);
}

static void
put_pid(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    const struct process_tally *process = &scoreboard->slots[i].process;
    (void)snprintf(text, TEXT_BYTES, "%" PRId32,
                   atomic_load_explicit(&process->pid, memory_order_relaxed));
}

static void
put_state(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    const struct scoreboard_slot *slot = &scoreboard->slots[i];
    bool refuses =
        is_worker(scoreboard, i) && atomic_load_explicit(&slot->refuses, memory_order_relaxed) != 0;
    uint32_t state = atomic_load_explicit(&slot->process.state, memory_order_relaxed);
    (void)snprintf(text, TEXT_BYTES, "%s", refuses ? "refusing" : slot_state_name(state));
}

static void
put_restarts(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    number_text(deaths_of(&scoreboard->slots[i].process), text);
}

static void
put_connections(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    const struct scoreboard_slot *slot = &scoreboard->slots[i];
    number_text(atomic_load_explicit(&slot->connections, memory_order_relaxed), text);
}

static void
put_in_flight(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    number_text(scoreboard_in_flight(scoreboard, i), text);
}

static void
put_calls(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    number_text(tally_get(&scoreboard->slots[i].worker.begun), text);
}

static void
put_instances(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES])
{
    number_text(tally_get(&scoreboard->slots[i].worker.instances), text);
}

static const struct column {
    const char *title;
    /* Between it and the column before. */
    const char *gap;
    /* Writes the cell of the process at `i` in the scoreboard. */
    void (*put)(const struct scoreboard *scoreboard, uint32_t i, char text[static TEXT_BYTES]);
    /* Of the column; negative if its cells begin at the left. */
    int width;
    bool is_for_workers_only;
} columns[] = {
    {"PROCESS", "", put_name, -12, false},
    {"PID", " ", put_pid, 8, false},
    {"STATE", "  ", put_state, -10, false},
    {"RESTARTS", " ", put_restarts, 9, false},
    {"CONNECTIONS", " ", put_connections, 12, true},
    {"IN FLIGHT", " ", put_in_flight, 10, true},
    {"CALLS", " ", put_calls, 12, true},
    {"INSTANCES", " ", put_instances, 12, true},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
write_processes(FILE *out, const struct scoreboard *scoreboard)
{
    for (size_t c = 0; c < COLUMNS; c++)
        (void)fprintf(out, "%s%*s", columns[c].gap, columns[c].width, columns[c].title);
    (void)fputc('\n', out);
    for (uint32_t i = 0; i < scoreboard->slot_count; i++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            char text[TEXT_BYTES];
            if (columns[c].is_for_workers_only && !is_worker(scoreboard, i))
                continue;
            columns[c].put(scoreboard, i, text);
            (void)fprintf(out, "%s%*s", columns[c].gap, columns[c].width, text);
        }
        (void)fputc('\n', out);
    }
}

/* ---- the lines beneath it */

static void
write_calls(FILE *out, const struct scoreboard *scoreboard)
{
    uint64_t buckets[TALLY_BUCKETS + 1];
    (void)fprintf(out, "calls       ");
    for (uint32_t status = 0; status < TALLY_STATUSES; status++) {
        uint64_t count =
            sum_at(scoreboard, offsetof(struct worker_tally, statuses) + status * sizeof(uint64_t));
        if (count > 0 || status == 0) /* 0 is OK, which is always said */
            (void)fprintf(out, "%s%" PRIu64 " %s", status > 0 ? ", " : "", count,
                          tally_status_name(status));
    }
    (void)fprintf(out, "\nrefused     ");
    bool any = false;
    for (uint32_t cause = 0; cause < REFUSAL_CAUSE_COUNT; cause++) {
        uint64_t count =
            sum_at(scoreboard, offsetof(struct worker_tally, refusals) + cause * sizeof(uint64_t));
        if (count > 0)
            (void)fprintf(out, "%s%" PRIu64 " %s", any ? ", " : "", count,
                          refusal_cause_label(cause));
        any = any || count > 0;
    }
    (void)fprintf(out, "%s\nlatency     ", any ? "" : "none");
    for (uint32_t i = 0; i <= TALLY_BUCKETS; i++)
        buckets[i] = sum_at(scoreboard, offsetof(struct worker_tally, durations) +
                                            offsetof(struct tally_histogram, buckets) +
                                            i * sizeof(uint64_t));
    write_percentiles(out, buckets);
}

/* Writes what is on the volume, which the collector has counted. */
static void
write_volume(FILE *out, const struct scoreboard *scoreboard)
{
    const struct collector_tally *tally = &scoreboard->collector;
    char files[PLURAL_BYTES];
    char text[3][TEXT_BYTES];
    (void)fprintf(out, "segments    %s, %s in all, %s not merged; limit %s for each worker\n",
                  plural(files, tally_get(&tally->segments), "file"),
                  bytes_text(tally_get(&tally->segment_bytes), text[0]),
                  bytes_text(tally_get(&tally->unmerged_bytes), text[1]),
                  bytes_text(scoreboard->facts.segments_limit_bytes, text[2]));
    (void)fprintf(out, "outputs     %" PRIu64 ", %" PRIu64 " refusing\n",
                  tally_get(&tally->outputs), tally_get(&tally->outputs_refusing));
    if (tally_get(&tally->aside_files) > 0)
        (void)fprintf(out, "set aside   %s, %s, not delivered: see mygrpcadapter segments\n",
                      plural(files, tally_get(&tally->aside_files), "file"),
                      bytes_text(tally_get(&tally->aside_bytes), text[0]));
    (void)fprintf(out, "quarantined %" PRIu64, tally_get(&tally->quarantined));
    if (tally_get(&tally->quarantine_files) > 0)
        (void)fprintf(out, " since the start; %s in quarantine/",
                      plural(files, tally_get(&tally->quarantine_files), "file"));
    (void)fputc('\n', out);
}

static void
write_merge(FILE *out, const struct scoreboard *scoreboard, uint64_t now_ns)
{
    const struct collector_tally *tally = &scoreboard->collector;
    uint64_t buckets[TALLY_BUCKETS + 1];
    uint64_t oldest_ns = tally_get(&tally->oldest_ns);
    char records[PLURAL_BYTES];
    char text[TEXT_BYTES];
    (void)fprintf(out, "delivered   %s, %s of text\n",
                  plural(records, tally_get(&tally->records), "record"),
                  bytes_text(tally_get(&tally->bytes), text));
    (void)fprintf(out, "merge lag   ");
    for (uint32_t i = 0; i <= TALLY_BUCKETS; i++)
        buckets[i] = tally_get(&tally->lags.buckets[i]);
    write_percentiles(out, buckets);
    if (oldest_ns != 0 && oldest_ns < now_ns)
        (void)fprintf(out, "waiting     the oldest record has waited %.1f s\n",
                      (double)(now_ns - oldest_ns) / 1e9);
}

/* 0 if the count has gone back: an adapter that was started anew in between counts from zero. */
static double
rate(uint64_t now, uint64_t before, double seconds)
{
    return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static void
write_rates(FILE *out, const struct status_look *now, const struct status_look *before)
{
    char text[2][TEXT_BYTES];
    double seconds = (double)(now->at_ns - before->at_ns) / 1e9;
    (void)fprintf(
        out, "now         %.0f calls/s, %.0f instances/s, %s/s accepted, %s/s delivered\n",
        rate(now->calls, before->calls, seconds), rate(now->instances, before->instances, seconds),
        bytes_text((uint64_t)rate(now->text_bytes, before->text_bytes, seconds), text[0]),
        bytes_text((uint64_t)rate(now->delivered_bytes, before->delivered_bytes, seconds),
                   text[1]));
}

void
status_report_write(FILE *out, const struct scoreboard *scoreboard, pid_t pid,
                    const struct status_look *now, const struct status_look *before)
{
    write_head(out, scoreboard, pid, now->at_ns);
    write_processes(out, scoreboard);
    (void)fputc('\n', out);
    if (before != NULL)
        write_rates(out, now, before);
    write_calls(out, scoreboard);
    write_merge(out, scoreboard, now->at_ns);
    write_volume(out, scoreboard);
}
