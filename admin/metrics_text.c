/* metrics_text.c -- writes the metrics of common/counters.h, each by the function that its row asks
 * for. Runs in the admin process.
 *
 * Counters go on over the deaths of processes; what is here of them began with the adapter.
 */
#include "admin/metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/invariant.h"
#include "common/counters.h"
#include "common/role.h"
#include "common/scoreboard.h"

#define PREFIX "mygrpcadapter_"

/* Statuses that the adapter answers with; others appear once they have been given. */
#define USUAL_STATUSES (1U << 0 | 1U << 3 | 1U << 8 | 1U << 14)

#define INDEX_BYTES 12

/* What is written, and of what. */
struct page {
    FILE *out;
    const struct scoreboard *scoreboard;
    const struct metrics_room *room;

    /* CLOCK_REALTIME. */
    uint64_t now_ns;
};

/* A row of counters.h. */
struct metric {
    const char *name;
    const char *type;

    /* Separated by commas. */
    const char *labels;

    const char *help;

    /* Writes the samples. */
    void (*write)(const struct page *page, const struct metric *metric);

    /* Of its field in the tally of whoever counts it. */
    size_t offset;
};

/* Begins a sample; its value is next. `...` are the values of the labels, as strings. */
static void
begin_sample(const struct page *page, const struct metric *metric, ...)
{
    va_list values;
    (void)fprintf(page->out, PREFIX "%s", metric->name);
    va_start(values, metric);
    const char *label = metric->labels;
    while (*label != '\0') {
        size_t size = strcspn(label, ",");
        (void)fprintf(page->out, "%c%.*s=\"%s\"", label == metric->labels ? '{' : ',', (int)size,
                      label, va_arg(values, const char *));
        label += size;
        label += *label == ',';
    }
    va_end(values);
    (void)fputs(label == metric->labels ? " " : "} ", page->out);
}

static void
end_sample(const struct page *page, uint64_t value)
{
    (void)fprintf(page->out, "%" PRIu64 "\n", value);
}

static const char *
index_text(uint32_t index, char text[static INDEX_BYTES])
{
    (void)snprintf(text, INDEX_BYTES, "%" PRIu32, index);
    return text;
}

static void
write_one(const struct page *page, const struct metric *metric, uint64_t value)
{
    begin_sample(page, metric);
    end_sample(page, value);
}

static void
write_of_worker(const struct page *page, const struct metric *metric, uint32_t worker,
                uint64_t value)
{
    char text[INDEX_BYTES];
    begin_sample(page, metric, index_text(worker, text));
    end_sample(page, value);
}

/* ---- numbers */

static const void *
field_of_worker(const struct page *page, const struct metric *metric, uint32_t worker)
{
    return (const char *)&page->scoreboard->slots[worker].worker + metric->offset;
}

static const void *
field_of_collector(const struct page *page, const struct metric *metric)
{
    return (const char *)&page->scoreboard->collector + metric->offset;
}

static void
write_worker_number(const struct page *page, const struct metric *metric)
{
    for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++) {
        const _Atomic uint64_t *number = field_of_worker(page, metric, i);
        write_of_worker(page, metric, i, tally_get(number));
    }
}

static void
write_collector_number(const struct page *page, const struct metric *metric)
{
    const _Atomic uint64_t *number = field_of_collector(page, metric);
    write_one(page, metric, tally_get(number));
}

/* ---- histograms */

/* What several histograms hold together. */
struct sum {
    uint64_t buckets[TALLY_BUCKETS + 1];
    double ns;
};

static void
add_histogram(struct sum *sum, const struct tally_histogram *histogram)
{
    for (uint32_t i = 0; i <= TALLY_BUCKETS; i++)
        sum->buckets[i] += tally_get(&histogram->buckets[i]);
    sum->ns += (double)tally_get(&histogram->sum_ns);
}

static void
write_sum(const struct page *page, const struct metric *metric, const struct sum *sum)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < TALLY_BUCKETS; i++) {
        total += sum->buckets[i];
        (void)fprintf(page->out, PREFIX "%s_bucket{le=\"%g\"} %" PRIu64 "\n", metric->name,
                      (double)tally_bounds_ns[i] / 1e9, total);
    }
    total += sum->buckets[TALLY_BUCKETS];
    (void)fprintf(page->out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", metric->name, total);
    (void)fprintf(page->out, PREFIX "%s_sum %.9f\n", metric->name, sum->ns / 1e9);
    (void)fprintf(page->out, PREFIX "%s_count %" PRIu64 "\n", metric->name, total);
}

static void
write_worker_histogram(const struct page *page, const struct metric *metric)
{
    struct sum sum = {.ns = 0};
    for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++)
        add_histogram(&sum, field_of_worker(page, metric, i));
    write_sum(page, metric, &sum);
}

static void
write_collector_histogram(const struct page *page, const struct metric *metric)
{
    struct sum sum = {.ns = 0};
    add_histogram(&sum, field_of_collector(page, metric));
    write_sum(page, metric, &sum);
}

/* ---- families */

static void
write_statuses(const struct page *page, const struct metric *metric)
{
    char text[INDEX_BYTES];
    for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++) {
        for (uint32_t status = 0; status < TALLY_STATUSES; status++) {
            uint64_t count = tally_get(&page->scoreboard->slots[i].worker.statuses[status]);
            if (count == 0 && (USUAL_STATUSES >> status & 1U) == 0)
                continue;
            begin_sample(page, metric, index_text(i, text), tally_status_name(status));
            end_sample(page, count);
        }
    }
}

static void
write_refusals(const struct page *page, const struct metric *metric)
{
    for (uint32_t cause = 0; cause < REFUSAL_CAUSE_COUNT; cause++) {
        uint64_t count = 0;
        for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++)
            count += tally_get(&page->scoreboard->slots[i].worker.refusals[cause]);
        begin_sample(page, metric, refusal_cause_label(cause));
        end_sample(page, count);
    }
}

static void
write_deaths(const struct page *page, const struct metric *metric)
{
    const struct scoreboard *scoreboard = page->scoreboard;
    char text[INDEX_BYTES];
    for (uint32_t i = 0; i < scoreboard->slot_count; i++) {
        for (uint32_t death = 0; death < TALLY_DEATHS; death++) {
            begin_sample(page, metric, role_name(scoreboard_role(scoreboard, i)),
                         index_text(i, text), tally_death_name(death));
            end_sample(page, tally_get(&scoreboard->slots[i].process.deaths[death]));
        }
    }
}

/* ---- what is seen, not counted */

static void
write_build_info(const struct page *page, const struct metric *metric)
{
    begin_sample(page, metric, page->scoreboard->facts.version);
    end_sample(page, 1);
}

static void
write_start_time_seconds(const struct page *page, const struct metric *metric)
{
    begin_sample(page, metric);
    (void)fprintf(page->out, "%.3f\n", (double)page->scoreboard->facts.started_ns / 1e9);
}

static void
write_workers(const struct page *page, const struct metric *metric)
{
    write_one(page, metric, page->scoreboard->facts.worker_count);
}

static void
write_ready(const struct page *page, const struct metric *metric)
{
    const struct scoreboard *scoreboard = page->scoreboard;
    write_one(page, metric, scoreboard_serves(scoreboard, scoreboard->facts.worker_count) ? 1 : 0);
}

static void
write_worker_connections_limit(const struct page *page, const struct metric *metric)
{
    write_one(page, metric, page->scoreboard->facts.max_connections);
}

static void
write_worker_segment_limit_bytes(const struct page *page, const struct metric *metric)
{
    write_one(page, metric, page->scoreboard->facts.segments_limit_bytes);
}

static void
write_process_healthy(const struct page *page, const struct metric *metric)
{
    const struct scoreboard *scoreboard = page->scoreboard;
    char text[INDEX_BYTES];
    for (uint32_t i = 0; i < scoreboard->slot_count; i++) {
        begin_sample(page, metric, role_name(scoreboard_role(scoreboard, i)), index_text(i, text));
        end_sample(page, atomic_load_explicit(&scoreboard->slots[i].process.healthy,
                                              memory_order_relaxed));
    }
}

static void
write_calls_in_flight(const struct page *page, const struct metric *metric)
{
    for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++)
        write_of_worker(page, metric, i, scoreboard_in_flight(page->scoreboard, i));
}

static void
write_connections(const struct page *page, const struct metric *metric)
{
    for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++)
        write_of_worker(
            page, metric, i,
            atomic_load_explicit(&page->scoreboard->slots[i].connections, memory_order_relaxed));
}

static void
write_worker_refusing(const struct page *page, const struct metric *metric)
{
    for (uint32_t i = 0; i < page->scoreboard->facts.worker_count; i++)
        write_of_worker(
            page, metric, i,
            atomic_load_explicit(&page->scoreboard->slots[i].refuses, memory_order_relaxed));
}

static void
write_merge_oldest_record_seconds(const struct page *page, const struct metric *metric)
{
    uint64_t oldest_ns = tally_get(&page->scoreboard->collector.oldest_ns);
    bool waits = oldest_ns != 0 && oldest_ns <= page->now_ns;
    begin_sample(page, metric);
    (void)fprintf(page->out, "%.3f\n", waits ? (double)(page->now_ns - oldest_ns) / 1e9 : 0);
}

static void
write_volume_free_bytes(const struct page *page, const struct metric *metric)
{
    begin_sample(page, metric, "output");
    end_sample(page, page->room->output_bytes);
    begin_sample(page, metric, "segments");
    end_sample(page, page->room->segments_bytes);
}

/* ---- the table */

/* clang-format off */
#define SEEN(metric, type, labels, help) \
    {#metric, type, labels, help, write_##metric, 0},
#define FAMILY(field, count, type, metric, labels, help) \
    {metric, type, labels, help, write_##field, 0},
#define WORKER_NUMBER(field, type, metric, help) \
    {metric, type, "worker", help, write_worker_number, offsetof(struct worker_tally, field)},
#define WORKER_HISTOGRAM(field, metric, help) \
    {metric, "histogram", "", help, write_worker_histogram, offsetof(struct worker_tally, field)},
#define COLLECTOR_NUMBER(field, type, metric, help) \
    {metric, type, "", help, write_collector_number, offsetof(struct collector_tally, field)},
#define COLLECTOR_HISTOGRAM(field, metric, help) \
    {metric, "histogram", "", help, write_collector_histogram, \
     offsetof(struct collector_tally, field)},
#define HIDDEN(field)

static const struct metric metrics[] = {
    METRICS_SEEN(SEEN)
    COUNTERS_OF_MASTER(WORKER_NUMBER, FAMILY, WORKER_HISTOGRAM, HIDDEN)
    COUNTERS_OF_WORKER_LOOP(WORKER_NUMBER, FAMILY, WORKER_HISTOGRAM, HIDDEN)
    COUNTERS_OF_ACCEPTOR(WORKER_NUMBER, FAMILY, WORKER_HISTOGRAM, HIDDEN)
    COUNTERS_OF_COLLECTOR(COLLECTOR_NUMBER, FAMILY, COLLECTOR_HISTOGRAM, HIDDEN)
};
/* clang-format on */

void
metrics_text_write(FILE *out, const struct scoreboard *scoreboard, const struct metrics_room *room,
                   uint64_t now_ns)
{
    INVARIANT(scoreboard->facts.worker_count <= scoreboard->slot_count);
    const struct page page = {out, scoreboard, room, now_ns};
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        const struct metric *metric = &metrics[i];
        (void)fprintf(out, "# HELP " PREFIX "%s %s\n", metric->name, metric->help);
        (void)fprintf(out, "# TYPE " PREFIX "%s %s\n", metric->name, metric->type);
        metric->write(&page, metric);
    }
}
