/* instructions.c -- one piece of the adapter's work, again and again, for callgrind to count.
 *
 *     instructions CASE DIRECTORY
 *
 * Works in the empty DIRECTORY, in the root of the repository. What is to be counted happens in
 * measured() only (--toggle-collect=measured); the program prints how many units that were (calls,
 * records or passes). It stands on the headers that worker.c and collector.c stand on:
 * metric_service.h, journal.h and merge.h.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/invariant.h"
#include "collector/merge.h"
#include "common/admission.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "segment/segment_writer.h"
#include "worker/grpc/service.h"
#include "worker/journal.h"
#include "worker/services/metric_service.h"

#define SEGMENT_BYTES ((int64_t)64 << 20)

/* A path is looked up, and a segment looked at, once in a second of this time, which stands
 * still. */
static const uint64_t now_ms = 1000000;

static char output_root[] = "/volume"; /* as the golden requests have it */

static struct settings settings = {
    .workers_max_message_bytes = 4 << 20,
    .workers_max_text_bytes = 64 << 20,
    .segments_size_bytes = SEGMENT_BYTES,
    .segments_limit_bytes = SEGMENT_BYTES * 4,
    .output_root = output_root,
    .output_mode = 0640,
    .output_max_files = 1024,
};

static struct heritage heritage = {.settings = &settings, .worker_count = 1, .incarnation = 1};

/* Valgrind 3.19 does not know openat2(2), the one call that the code makes by its number. Linked
 * with --wrap=syscall; nobody here tries to leave the directory. */
long __wrap_syscall(long number, ...);

long
__wrap_syscall(long number, ...)
{
    va_list rest;
    va_start(rest, number);
    int fd = va_arg(rest, int);
    const char *path = va_arg(rest, const char *);
    const struct open_how *how = va_arg(rest, const struct open_how *);
    va_end(rest);
    INVARIANT(number == SYS_openat2);
    return openat(fd, path, (int)how->flags, (mode_t)how->mode);
}

/* ---- what is counted */

typedef void unit_of_work(void *context);

/* Callgrind counts from its beginning to its end. */
__attribute__((noinline)) void measured(unit_of_work *work, void *context);

void
measured(unit_of_work *work, void *context)
{
    work(context);
}

/* ---- calls: decode, render, find the output, append */

struct call {
    struct unary_method method;
    struct bytes request;
};

static void
make_call(void *context)
{
    const struct call *call = context;
    struct unary_answer answer = {.status = GRPC_STATUS_OK};
    call->method.answer(call->method.context, call->request, now_ms, &answer);
    if (answer.status != GRPC_STATUS_OK)
        errx(1, "refused: %s", answer.message);
}

static struct bytes
read_golden(const char *name, const char *extension)
{
    char path[256];
    static char content[1 << 20];
    (void)snprintf(path, sizeof(path), "tests/golden/%s.%s", name, extension);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        err(1, "%s", path);
    size_t size = fread(content, 1, sizeof(content), file);
    (void)fclose(file);
    return (struct bytes){content, size};
}

/* The first call finds out about the path and touches the buffers: it does not count. */
static void
measure_calls(const char *golden, uint64_t count)
{
    struct journal *journal = NULL;
    struct metric_service *service = NULL;
    struct methods methods = {.unary_count = 0};
    struct call call = {.request = read_golden(golden, "pb")};
    if (journal_open(&journal, &heritage) != 0 ||
        metric_service_open(&service, &methods, &heritage, journal) != 0)
        errx(1, "cannot make the service");
    call.method = methods.unary[0];
    make_call(&call);
    for (uint64_t i = 0; i < count; i++)
        measured(make_call, &call);
    metric_service_close(&service);
    journal_close(&journal);
}

/* ---- the collector: from a segment to the outputs */

static void
append(struct segment_writer *writer, struct bytes text, uint64_t output)
{
    char name[16];
    int name_bytes = snprintf(name, sizeof(name), "out-%03u", (unsigned)output);
    struct segment_record record = {SEGMENT_FILE, {name, (size_t)name_bytes}, text, 0};
    INVARIANT(segment_writer_fits(writer, record.name.size + record.payload.size));
    segment_writer_append(writer, &record);
}

static struct segment_writer *
begin_segment(void)
{
    struct segment_writer *writer = NULL;
    struct segment_identity identity = {0, 1, 0};
    if (segment_writer_create(&writer, heritage.fds[HERITAGE_FD_SEGMENTS], &identity, 0,
                              (uint64_t)SEGMENT_BYTES, false) != 0)
        errx(1, "cannot make a segment");
    return writer;
}

static void
merge_all(void *context)
{
    struct merge **merge = context;
    if (merge_open(merge, &heritage, NULL) != 0)
        errx(1, "cannot merge");
    while (!merge_is_empty(*merge)) {
        if (merge_pass(*merge, now_ms) < 0)
            errx(1, "cannot merge");
    }
}

/* A sealed segment of `count` records, to so many outputs in turn. */
static void
measure_records(const char *golden, uint64_t count, uint64_t outputs)
{
    struct bytes text = read_golden(golden, "txt");
    struct segment_writer *writer = begin_segment();
    for (uint64_t i = 0; i < count; i++)
        append(writer, text, i % outputs);
    segment_writer_seal(&writer);
    struct merge *merge = NULL;
    measured(merge_all, &merge);
    merge_close(&merge);
}

static void
pass_once(void *context)
{
    if (merge_pass(context, now_ms) != 1)
        errx(1, "a pass did not find the record");
}

/* A record, a pass, a record, a pass: what a pass costs by itself. */
static void
measure_passes(const char *golden, uint64_t count)
{
    struct bytes text = read_golden(golden, "txt");
    struct segment_writer *writer = begin_segment();
    struct merge *merge = NULL;
    if (merge_open(&merge, &heritage, NULL) != 0)
        errx(1, "cannot merge");
    for (uint64_t i = 0; i <= count; i++) {
        append(writer, text, 0);
        if (i == 0)
            pass_once(merge); /* makes the output and its ledger */
        else
            measured(pass_once, merge);
    }
    merge_close(&merge);
    segment_writer_seal(&writer);
}

/* ---- the table */

static const struct {
    const char *name;
    const char *golden;
    enum { CALLS, RECORDS, PASSES } what;
    uint64_t count;
    uint64_t outputs;
} cases[] = {
    {"call-1-instance", "0000-post", CALLS, 2000, 1},
    {"call-bookinfo", "0001-bookinfo", CALLS, 1000, 1},
    {"call-all-kinds", "0047-timestamp", CALLS, 1000, 1},
    {"call-400-instances", "0066-batch-400", CALLS, 50, 1},
    {"call-300-from-mixer", "mixer-03", CALLS, 50, 1},
    {"record-1-instance", "0000-post", RECORDS, 40000, 1},
    {"record-400-instances", "0066-batch-400", RECORDS, 500, 1},
    {"record-64-outputs", "0000-post", RECORDS, 20000, 64},
    {"pass-of-1-record", "0000-post", PASSES, 500, 1},
};

static int
make_directory(const char *parent, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", parent, name);
    if (mkdir(path, 0700) != 0)
        err(1, "%s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

int
main(int argc, char **argv)
{
    if (argc == 1) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            (void)printf("%s\n", cases[i].name);
        return 0;
    }
    if (argc != 3)
        errx(64, "usage: %s CASE DIRECTORY", argv[0]);
    heritage.fds[HERITAGE_FD_SEGMENTS] = make_directory(argv[2], "segments");
    heritage.fds[HERITAGE_FD_ROOT] = make_directory(argv[2], "root");
    heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (scoreboard_open(&heritage.scoreboard, 2) != 0 ||
        admission_open(&heritage.admission, (uint32_t)settings.output_max_files) != 0)
        errx(1, "no memory");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(cases[i].name, argv[1]) != 0)
            continue;
        if (cases[i].what == CALLS)
            measure_calls(cases[i].golden, cases[i].count);
        else if (cases[i].what == RECORDS)
            measure_records(cases[i].golden, cases[i].count, cases[i].outputs);
        else
            measure_passes(cases[i].golden, cases[i].count);
        (void)printf("%llu\n", (unsigned long long)cases[i].count);
        return 0;
    }
    errx(64, "no such case: %s", argv[1]);
}
