/* status_report_test.c -- the words for what a scoreboard holds. */
#include "tests/unit/scratch.h"

#include "commands/status/status_report.h"
#include "common/scoreboard.h"
#include "master/crew/slot.h"

#define S UINT64_C(1000000000)
#define NOW_NS (UINT64_C(1700000000) * S)

/* An adapter of two workers and a collector that has run for a day, an hour and a second. */
static int
set_up(void **state)
{
    struct scoreboard *scoreboard = NULL;
    assert_int_equal(scoreboard_open(&scoreboard, 3), 0);
    scoreboard->facts.worker_count = 2;
    scoreboard->facts.started_ns = NOW_NS - 90001 * S;
    scoreboard->facts.segments_limit_bytes = UINT64_C(256) << 20;
    for (uint32_t i = 0; i < 3; i++) {
        scoreboard->slots[i].process.state = SLOT_READY;
        scoreboard->slots[i].process.healthy = 1;
        scoreboard->slots[i].process.pid = 100 + (int32_t)i;
        scoreboard_set_role(scoreboard, i, i < 2 ? ROLE_WORKER : ROLE_COLLECTOR);
    }
    *state = scoreboard;
    return 0;
}

static int
tear_down(void **state)
{
    struct scoreboard *scoreboard = *state;
    scoreboard_close(&scoreboard);
    return 0;
}

/* The report at NOW_NS; the caller frees it. */
static char *
report(const struct scoreboard *scoreboard, const struct status_look *before)
{
    char *text = NULL;
    size_t size = 0;
    struct status_look now;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    status_look_take(&now, scoreboard);
    now.at_ns = NOW_NS;
    status_report_write(out, scoreboard, 99, &now, before);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* There is such a line in the report. */
static void
assert_line(const struct scoreboard *scoreboard, const struct status_look *before, const char *line)
{
    char *text = report(scoreboard, before);
    char *found = strstr(text, line);
    if (found == NULL || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n')
        fail_msg("no line \"%s\" in:\n%s", line, text);
    free(text);
}

static void
test_head(void **state)
{
    struct scoreboard *scoreboard = *state;
    assert_line(scoreboard, NULL,
                "mygrpcadapter " MYGRPCADAPTER_VERSION ", pid 99, up 1d 01:00:01: ready");
    scoreboard->slots[1].refuses = 1;
    assert_line(scoreboard, NULL,
                "mygrpcadapter " MYGRPCADAPTER_VERSION ", pid 99, up 1d 01:00:01: NOT READY");
    /* A clock that was set back. */
    scoreboard->facts.started_ns = NOW_NS + S;
    assert_line(scoreboard, NULL,
                "mygrpcadapter " MYGRPCADAPTER_VERSION ", pid 99, up 0d 00:00:00: NOT READY");
}

static void
test_processes(void **state)
{
    struct scoreboard *scoreboard = *state;
    struct scoreboard_slot *slot = &scoreboard->slots[0];
    slot->connections = 3;
    tally_set(&slot->worker.begun, 12);
    tally_set(&slot->worker.ended, 10);
    tally_set(&slot->worker.instances, 40);
    tally_set(&slot->process.deaths[TALLY_DEATH_SIGNAL], 1);
    tally_set(&slot->process.deaths[TALLY_DEATH_STALLED], 2);
    scoreboard->slots[1].refuses = 1;
    assert_line(scoreboard, NULL,
                "worker 0          100  ready              3            3          2           12  "
                "         40");
    assert_line(scoreboard, NULL,
                "worker 1          101  refusing           0            0          0            0  "
                "          0");
    assert_line(scoreboard, NULL, "collector         102  ready              0");
}

static void
test_calls(void **state)
{
    struct scoreboard *scoreboard = *state;
    assert_line(scoreboard, NULL, "calls       0 OK");
    assert_line(scoreboard, NULL, "refused     none");
    assert_line(scoreboard, NULL, "latency     p50 -, p90 -, p99 -");
    tally_set(&scoreboard->slots[0].worker.statuses[0], 7);
    tally_set(&scoreboard->slots[1].worker.statuses[0], 2);
    tally_set(&scoreboard->slots[1].worker.statuses[3], 1);
    tally_set(&scoreboard->slots[1].worker.refusals[0], 1);
    assert_line(scoreboard, NULL, "calls       9 OK, 1 INVALID_ARGUMENT");
    assert_line(scoreboard, NULL, "refused     1 malformed");
    tally_set(&scoreboard->slots[0].worker.durations.buckets[0], 80);
    tally_set(&scoreboard->slots[1].worker.durations.buckets[4], 15);
    tally_set(&scoreboard->slots[1].worker.durations.buckets[TALLY_BUCKETS], 5);
    assert_line(scoreboard, NULL, "latency     p50 <= 0.05 ms, p90 <= 1 ms, p99 > 10000 ms");
}

static void
test_one_and_many(void **state)
{
    struct scoreboard *scoreboard = *state;
    struct collector_tally *tally = &scoreboard->collector;
    assert_line(scoreboard, NULL, "delivered   0 records, 0 B of text");
    assert_line(scoreboard, NULL,
                "segments    0 files, 0 B in all, 0 B not merged; limit 256.0 MiB for each worker");
    tally_set(&tally->records, 1);
    tally_set(&tally->bytes, 1023);
    tally_set(&tally->segments, 1);
    tally_set(&tally->segment_bytes, UINT64_C(16) << 20);
    assert_line(scoreboard, NULL, "delivered   1 record, 1023 B of text");
    assert_line(
        scoreboard, NULL,
        "segments    1 file, 16.0 MiB in all, 0 B not merged; limit 256.0 MiB for each worker");
    tally_set(&tally->records, 2);
    tally_set(&tally->bytes, 1536);
    tally_set(&tally->segments, 2);
    tally_set(&tally->segment_bytes, UINT64_C(32) << 20);
    tally_set(&tally->unmerged_bytes, UINT64_C(3) << 40);
    tally_set(&tally->outputs, 3);
    tally_set(&tally->outputs_refusing, 1);
    tally_set(&tally->quarantined, 4);
    assert_line(scoreboard, NULL, "delivered   2 records, 1.5 KiB of text");
    assert_line(scoreboard, NULL,
                "segments    2 files, 32.0 MiB in all, 3.0 TiB not merged; "
                "limit 256.0 MiB for each worker");
    assert_line(scoreboard, NULL, "outputs     3, 1 refusing");
    assert_line(scoreboard, NULL, "quarantined 4");
}

static void
test_what_waits(void **state)
{
    struct scoreboard *scoreboard = *state;
    char *text = report(scoreboard, NULL);
    assert_null(strstr(text, "waiting"));
    assert_null(strstr(text, "\nnow "));
    free(text);
    tally_set(&scoreboard->collector.oldest_ns, NOW_NS - 2400000000);
    assert_line(scoreboard, NULL, "waiting     the oldest record has waited 2.4 s");
}

static void
test_rates(void **state)
{
    struct scoreboard *scoreboard = *state;
    struct status_look before;
    status_look_take(&before, scoreboard);
    before.at_ns = NOW_NS - 2 * S;
    tally_set(&scoreboard->slots[0].worker.begun, 100);
    tally_set(&scoreboard->slots[1].worker.begun, 20);
    tally_set(&scoreboard->slots[1].worker.instances, 480);
    tally_set(&scoreboard->slots[0].worker.text_bytes, 4096);
    tally_set(&scoreboard->collector.bytes, 2048);
    assert_line(scoreboard, &before,
                "now         60 calls/s, 240 instances/s, 2.0 KiB/s accepted, 1.0 KiB/s delivered");
    /* Another adapter, which has counted less. */
    before.calls = 1000;
    assert_line(scoreboard, &before,
                "now         0 calls/s, 240 instances/s, 2.0 KiB/s accepted, 1.0 KiB/s delivered");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_processes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_and_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rates, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
