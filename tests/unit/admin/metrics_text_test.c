/* metrics_text_test.c -- what stands in the scoreboard is what /metrics says, each number once,
 * with its labels. */
#include "tests/unit/scratch.h"

#include "admin/metrics_text.h"
#include "common/counters.h"
#include "common/scoreboard.h"

#define WORKERS 2U
#define NOW_NS UINT64_C(1000000000000)

struct fixture {
    struct scoreboard *scoreboard;
    char *text;
};

/* Workers, a collector, and in a slot beyond an admin process. */
static void
open_scoreboard(struct fixture *f, uint32_t slots)
{
    assert_int_equal(scoreboard_open(&f->scoreboard, slots), 0);
    f->scoreboard->facts.worker_count = WORKERS;
    for (uint32_t i = 0; i < slots; i++)
        scoreboard_set_role(f->scoreboard, i,
                            i < WORKERS    ? ROLE_WORKER
                            : i == WORKERS ? ROLE_COLLECTOR
                                           : ROLE_ADMIN);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    open_scoreboard(f, WORKERS + 2);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    scoreboard_close(&f->scoreboard);
    free(f->text);
    free(f);
    return 0;
}

static void
write_text(struct fixture *f)
{
    const struct metrics_room room = {.output_bytes = 11, .segments_bytes = 12};
    size_t size;
    free(f->text);
    FILE *out = open_memstream(&f->text, &size);
    assert_non_null(out);
    metrics_text_write(out, f->scoreboard, &room, NOW_NS);
    assert_int_equal(fclose(out), 0);
}

/* Expects a line, and no second one for the same sample. */
static void
expect_line(const struct fixture *f, const char *line)
{
    char whole[256];
    char sample[256];
    (void)snprintf(whole, sizeof(whole), "\nmygrpcadapter_%s\n", line);
    (void)snprintf(sample, sizeof(sample), "\nmygrpcadapter_%.*s ",
                   (int)(strrchr(line, ' ') - line), line);
    const char *found = strstr(f->text, whole);
    if (found == NULL)
        fail_msg("there is no line: %s", line);
    else
        assert_null(strstr(found + 1, sample));
}

/* Every number of the table gets one of its own, and is looked for by the table's name of it. */
static void
test_every_number_is_shown_under_its_name(void **state)
{
    struct fixture *f = *state;
    uint64_t next = 1000;
    char line[256];
    struct worker_tally *worker = &f->scoreboard->slots[1].worker;
    struct collector_tally *collector = &f->scoreboard->collector;
#define SET_WORKER(field, type, metric, help) tally_set(&worker->field, next++);
#define SET_COLLECTOR(field, type, metric, help) tally_set(&collector->field, next++);
#define EXPECT_WORKER(field, type, metric, help)                                                   \
    (void)snprintf(line, sizeof(line), metric "{worker=\"1\"} %u", (unsigned)next++);              \
    expect_line(f, line);                                                                          \
    expect_line(f, metric "{worker=\"0\"} 0");
#define EXPECT_COLLECTOR(field, type, metric, help)                                                \
    (void)snprintf(line, sizeof(line), metric " %u", (unsigned)next++);                            \
    expect_line(f, line);
#define NONE(...)
    COUNTERS_OF_WORKER_LOOP(SET_WORKER, NONE, NONE, NONE)
    COUNTERS_OF_ACCEPTOR(SET_WORKER, NONE, NONE, NONE)
    COUNTERS_OF_COLLECTOR(SET_COLLECTOR, NONE, NONE, NONE)
    write_text(f);
    next = 1000;
    COUNTERS_OF_WORKER_LOOP(EXPECT_WORKER, NONE, NONE, NONE)
    COUNTERS_OF_ACCEPTOR(EXPECT_WORKER, NONE, NONE, NONE)
    COUNTERS_OF_COLLECTOR(EXPECT_COLLECTOR, NONE, NONE, NONE)
}

static void
test_help_and_type_stand_before_each_metric_once(void **state)
{
    struct fixture *f = *state;
    write_text(f);
#define EXPECT_HEAD(metric, type, help)                                                            \
    do {                                                                                           \
        static const char head[] =                                                                 \
            "# HELP mygrpcadapter_" metric " " help "\n# TYPE mygrpcadapter_" metric " " type      \
            "\nmygrpcadapter_" metric;                                                             \
        const char *found = strstr(f->text, head);                                                 \
        assert_non_null(found);                                                                    \
        assert_null(strstr(found + 1, "# HELP mygrpcadapter_" metric " "));                        \
    } while (0);
#define NUMBER(field, type, metric, help) EXPECT_HEAD(metric, type, help)
#define FAMILY(field, count, type, metric, labels, help) EXPECT_HEAD(metric, type, help)
#define HISTOGRAM(field, metric, help) EXPECT_HEAD(metric, "histogram", help)
#define SEEN(metric, type, labels, help) EXPECT_HEAD(#metric, type, help)
    COUNTERS_OF_WORKER_LOOP(NUMBER, FAMILY, HISTOGRAM, NONE)
    COUNTERS_OF_ACCEPTOR(NUMBER, FAMILY, HISTOGRAM, NONE)
    COUNTERS_OF_COLLECTOR(NUMBER, FAMILY, HISTOGRAM, NONE)
    COUNTERS_OF_MASTER(NUMBER, FAMILY, HISTOGRAM, NONE)
    METRICS_SEEN(SEEN)
}

static void
test_families_have_their_labels(void **state)
{
    struct fixture *f = *state;
    struct scoreboard *scoreboard = f->scoreboard;
    tally_add(&scoreboard->slots[0].worker.statuses[0], 5);
    tally_add(&scoreboard->slots[1].worker.statuses[12], 6);
    tally_add(&scoreboard->slots[0].worker.refusals[REFUSAL_MAX_FILES], 7);
    tally_add(&scoreboard->slots[1].worker.refusals[REFUSAL_MAX_FILES], 8);
    tally_add(&scoreboard->slots[2].process.deaths[TALLY_DEATH_STALLED], 9);
    write_text(f);
    expect_line(f, "calls_total{worker=\"0\",code=\"OK\"} 5");
    expect_line(f, "calls_total{worker=\"1\",code=\"OK\"} 0");
    expect_line(f, "calls_total{worker=\"1\",code=\"UNIMPLEMENTED\"} 6");
    assert_null(strstr(f->text, "{worker=\"0\",code=\"UNIMPLEMENTED\"}"));
    expect_line(f, "calls_refused_total{cause=\"max_files\"} 15");
    expect_line(f, "calls_refused_total{cause=\"no_memory\"} 0");
    expect_line(f, "process_restarts_total{role=\"collector\",slot=\"2\",cause=\"stalled\"} 9");
    expect_line(f, "process_restarts_total{role=\"admin\",slot=\"3\",cause=\"signal\"} 0");
}

static void
test_histograms_of_workers_are_summed_and_cumulative(void **state)
{
    struct fixture *f = *state;
    tally_observe(&f->scoreboard->slots[0].worker.durations, 60000);
    tally_observe(&f->scoreboard->slots[1].worker.durations, 60000);
    tally_observe(&f->scoreboard->slots[1].worker.durations, UINT64_C(20000000000));
    write_text(f);
    expect_line(f, "call_duration_seconds_bucket{le=\"5e-05\"} 0");
    expect_line(f, "call_duration_seconds_bucket{le=\"0.0001\"} 2");
    expect_line(f, "call_duration_seconds_bucket{le=\"10\"} 2");
    expect_line(f, "call_duration_seconds_bucket{le=\"+Inf\"} 3");
    expect_line(f, "call_duration_seconds_count 3");
    expect_line(f, "call_duration_seconds_sum 20.000120000");
    expect_line(f, "merge_lag_seconds_count 0");
}

static void
test_what_is_seen_is_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct scoreboard *scoreboard = f->scoreboard;
    scoreboard->facts.started_ns = UINT64_C(1500000000);
    scoreboard->facts.max_connections = 21;
    scoreboard->facts.segments_limit_bytes = 22;
    tally_set(&scoreboard->slots[1].worker.begun, 9);
    tally_set(&scoreboard->slots[1].worker.ended, 6);
    atomic_store(&scoreboard->slots[1].connections, 4);
    atomic_store(&scoreboard->slots[0].process.healthy, 1);
    atomic_store(&scoreboard->slots[1].refuses, 1);
    write_text(f);
    expect_line(f, "build_info{version=\"" MYGRPCADAPTER_VERSION "\"} 1");
    expect_line(f, "start_time_seconds 1.500");
    expect_line(f, "workers 2");
    expect_line(f, "ready 1");
    expect_line(f, "worker_connections_limit 21");
    expect_line(f, "worker_segment_limit_bytes 22");
    expect_line(f, "process_healthy{role=\"worker\",slot=\"0\"} 1");
    expect_line(f, "process_healthy{role=\"admin\",slot=\"3\"} 0");
    expect_line(f, "calls_in_flight{worker=\"1\"} 3");
    expect_line(f, "connections{worker=\"1\"} 4");
    expect_line(f, "worker_refusing{worker=\"1\"} 1");
    expect_line(f, "volume_free_bytes{volume=\"output\"} 11");
    expect_line(f, "volume_free_bytes{volume=\"segments\"} 12");
    atomic_store(&scoreboard->slots[1].process.healthy, 1);
    write_text(f);
    expect_line(f, "ready 0");
}

static void
test_the_oldest_record_has_an_age(void **state)
{
    struct fixture *f = *state;
    _Atomic uint64_t *oldest_ns = &f->scoreboard->collector.oldest_ns;
    write_text(f);
    expect_line(f, "merge_oldest_record_seconds 0.000");
    tally_set(oldest_ns, NOW_NS - UINT64_C(2500000000));
    write_text(f);
    expect_line(f, "merge_oldest_record_seconds 2.500");
    tally_set(oldest_ns, NOW_NS + 1); /* the clock was set back */
    write_text(f);
    expect_line(f, "merge_oldest_record_seconds 0.000");
}

static void
test_without_an_admin_process_none_is_shown(void **state)
{
    struct fixture *f = *state;
    scoreboard_close(&f->scoreboard);
    open_scoreboard(f, WORKERS + 1);
    write_text(f);
    assert_null(strstr(f->text, "role=\"admin\""));
    assert_non_null(strstr(f->text, "role=\"collector\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_number_is_shown_under_its_name),
        TEST(test_help_and_type_stand_before_each_metric_once),
        TEST(test_families_have_their_labels),
        TEST(test_histograms_of_workers_are_summed_and_cumulative),
        TEST(test_what_is_seen_is_as_it_is),
        TEST(test_the_oldest_record_has_an_age),
        TEST(test_without_an_admin_process_none_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
