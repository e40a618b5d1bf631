/* send_report.c -- turns a tally into text. Runs in the process of `mygrpcadapter send`. */
#include "commands/send/send_report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/quote.h"
#include "commands/send/send_load.h"
#include "common/tally.h"

static const struct {
    const char *name;
    uint32_t per_ten_thousand;
} percentiles[] = {
    {"p50", 5000},
    {"p90", 9000},
    {"p99", 9900},
    {"p99.9", 9990},
};

static bool progress_shown;

static uint64_t
rate(uint64_t count, uint64_t elapsed_ns)
{
    return elapsed_ns == 0 ? 0 : (uint64_t)((double)count * 1e9 / (double)elapsed_ns);
}

static uint64_t
failed(const struct send_load_tally *tally)
{
    return tally->answered - tally->by_status[0];
}

static double
milliseconds(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* It comes from a peer and goes to a terminal. */
static void
print_message(FILE *out, const char *message)
{
    quote_print(out, (struct bytes){.data = message, .size = strlen(message)}, QUOTE_PLAIN);
}

void
send_report_progress(const struct send_load_tally *tally)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    progress_shown = true;
    (void)fprintf(
        stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " calls, %" PRIu64 " calls/s, %" PRIu64 " failed",
        tally->answered, tally->planned, rate(tally->answered, tally->elapsed_ns), failed(tally));
    (void)fflush(stderr);
}

void
send_report_end_progress(void)
{
    if (progress_shown)
        (void)fprintf(stderr, "\r\033[K");
    progress_shown = false;
}

static void
print_answer(FILE *out, const struct send_load_tally *tally)
{
    for (size_t status = 0; status < SEND_LOAD_STATUSES; status++) {
        if (tally->by_status[status] == 0)
            continue;
        (void)fprintf(out, "%s", tally_status_name((uint32_t)status));
        if (tally->first_message[status][0] != '\0')
            (void)fprintf(out, ": ");
        print_message(out, tally->first_message[status]);
        (void)fprintf(out, "\n");
    }
}

static void
print_failures(FILE *out, const struct send_load_tally *tally)
{
    (void)fprintf(out, "failed: %" PRIu64 "\n", failed(tally));
    for (size_t status = 1; status < SEND_LOAD_STATUSES; status++) {
        if (tally->by_status[status] == 0)
            continue;
        (void)fprintf(out, "  %s: %" PRIu64 ", the first: ", tally_status_name((uint32_t)status),
                      tally->by_status[status]);
        print_message(out, tally->first_message[status]);
        (void)fprintf(out, "\n");
    }
}

/* Counts only calls answered OK: how fast a refusal comes says nothing about the service. */
static void
print_pace(FILE *out, const struct send_load_tally *tally, uint64_t instance_count)
{
    uint64_t ok = tally->by_status[0];
    (void)fprintf(out, "elapsed: %.3f s\n", (double)tally->elapsed_ns / 1e9);
    (void)fprintf(out, "rate: %" PRIu64 " calls/s", rate(ok, tally->elapsed_ns));
    if (instance_count > 0)
        (void)fprintf(out, ", %" PRIu64 " instances/s",
                      rate(ok * instance_count, tally->elapsed_ns));
    (void)fprintf(out, "\n");
    if (tally->latency.count == 0)
        return;
    (void)fprintf(out, "latency (ms): min %.3f", milliseconds(tally->latency.min_ns));
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        (void)fprintf(
            out, ", %s %.3f", percentiles[i].name,
            milliseconds(latency_percentile(&tally->latency, percentiles[i].per_ten_thousand)));
    (void)fprintf(out, ", max %.3f\n", milliseconds(tally->latency.max_ns));
}

void
send_report_print(FILE *out, const struct send_load_tally *tally, uint64_t instance_count)
{
    if (tally->planned == 1) {
        print_answer(out, tally);
        return;
    }
    (void)fprintf(out, "calls: %" PRIu64, tally->answered);
    if (tally->answered < tally->planned)
        (void)fprintf(out, " of %" PRIu64 ", interrupted", tally->planned);
    (void)fprintf(out, "\nOK: %" PRIu64 "\n", tally->by_status[0]);
    print_failures(out, tally);
    print_pace(out, tally, instance_count);
}
