/* scenario.c -- the steps; scenario.h. What the code under test sees of time moves on with them. */
#include "tests/crash/scenario.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/descriptors.h"
#include "base/directory.h"
#include "base/rename.h"
#include "collector/merge.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/volume.h"
#include "segment/aside_store.h"
#include "segment/segment_directory.h"
#include "segment/segment_store.h"
#include "tests/crash/account.h"
#include "tests/crash/calls.h"
#include "tests/crash/disk.h"
#include "tests/crash/random.h"
#include "worker/call_refusal.h"
#include "worker/journal.h"

#define SLOTS 2U
#define STEP_MS 10U
#define STEP_MS_LONG 1000U /* what is missing or barred stays so for longer than it is waited for */
#define PASSES_MAX 3000    /* half a minute of the scenario's time: longer than anything waits */

/* Where files are rotated by time. On one volume no more periods begin than files are kept, so
 * whoever rotates twice in one loses records. */
#define PERIOD_S 100U
#define STEP_CLOCK_S 4U
#define PERIODS_MAX 9

/* One run. */
struct stage {
    const struct scenario *scenario;
    struct random random;
    struct settings settings;
    struct settings elder_settings;       /* those of slot 0, if there is an elder */
    struct heritage heritages[SLOTS + 1]; /* the collector's is the last */
    struct journal *journals[SLOTS];
    struct merge *merge;
    uint64_t now_ms;
    int64_t clock_s;  /* the machine's is ahead, and goes on from child to child */
    int64_t server_s; /* the file server's is ahead of that */
    /* An order to set aside, which somebody waits for; -1 = there is none. */
    int order_fd;
};

static void
make_settings(struct stage *stage, char *segments)
{
    const struct scenario *scenario = stage->scenario;
    struct settings *settings = &stage->settings;
    settings->segments_directory = segments;
    settings->segments_size_bytes = 8192;
    settings->segments_limit_bytes = 1 << 30;
    settings->segments_durability = scenario->durable ? DURABILITY_MACHINE : DURABILITY_PROCESS;
    settings->output_root = bytes_unconst(scenario->volume);
    settings->output_mode = 0640;
    settings->output_rotate_bytes = 1000;
    settings->output_rotate_keep = ACCOUNT_ROTATED_MAX;
    if (scenario->troubles.clocks) {
        settings->output_rotate_bytes = 0;
        settings->output_rotate_seconds = PERIOD_S;
        settings->output_rotate_keep = PERIODS_MAX;
        stage->server_s = ((int64_t)random_below(&stage->random, 3) - 1) * 5 * PERIOD_S;
    }
    stage->elder_settings = *settings;
    if (scenario->troubles.mixed && random_below(&stage->random, 2) == 0)
        stage->elder_settings.segments_durability =
            scenario->durable ? DURABILITY_PROCESS : DURABILITY_MACHINE;
}

/* Opens the volume, and where there is an elder, takes it over from the elder's master. */
static bool
open_volume(struct stage *stage, struct volume *volume)
{
    struct complaint complaint;
    if (volume_open(volume, &stage->elder_settings, &complaint) != 0)
        return false;
    struct volume opened = *volume;
    return stage->elder_settings.segments_durability == stage->settings.segments_durability ||
           volume_adopt(volume, &stage->settings, &opened, &complaint) == 0;
}

/* What the master does before it forks. */
static bool
prepare(struct stage *stage)
{
    struct heritage heritage = {.settings = &stage->settings, .worker_count = SLOTS};
    struct volume volume;
    char segments[512];
    uint64_t incarnation = 0;
    (void)snprintf(segments, sizeof(segments), "%s/.mygrpcadapter", stage->scenario->volume);
    make_settings(stage, segments);
    heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!open_volume(stage, &volume))
        return false;
    heritage.fds[HERITAGE_FD_ROOT] = volume.root_fd;
    heritage.fds[HERITAGE_FD_SEGMENTS] = volume.segments_fd;
    if (heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP] < 0 ||
        scoreboard_open(&heritage.scoreboard, SLOTS + 1) != 0 ||
        segment_store_next_incarnation(heritage.fds[HERITAGE_FD_SEGMENTS], &incarnation) != 0)
        return false;
    for (uint32_t slot = 0; slot <= SLOTS; slot++) {
        heritage.slot = slot;
        heritage.incarnation = incarnation + slot;
        stage->heritages[slot] = heritage;
    }
    stage->heritages[0].settings = &stage->elder_settings;
    return true;
}

static bool
is_durable(const struct stage *stage, uint32_t slot)
{
    return stage->heritages[slot].settings->segments_durability == DURABILITY_MACHINE;
}

static uint32_t
choose_output(struct stage *stage)
{
    return (uint32_t)random_below(&stage->random, stage->scenario->troubles.names ? ACCOUNT_OUTPUTS
                                                                                  : ACCOUNT_FILES);
}

/* One record from one worker; it may be refused. */
static void
append(struct stage *stage)
{
    char text[ACCOUNT_TEXT_BYTES_MAX];
    uint32_t slot = (uint32_t)random_below(&stage->random, SLOTS);
    uint32_t output = choose_output(stage);
    struct account *account = stage->scenario->account;
    uint32_t number = account_attempt(account, output, slot, is_durable(stage, slot), text);
    const char *name = account_outputs[output];
    struct segment_record record = {SEGMENT_FILE, {name, strlen(name)}, {text, strlen(text)}, 0};
    struct call_refusal refusal;
    if (journal_append(stage->journals[slot], &record, stage->now_ms, &refusal))
        account_append(account, number);
    else
        account_refuse(account, number);
}

/* What waits for the disk in one worker is acknowledged together (worker/grpc/commit.c). */
static void
commit(struct stage *stage, uint32_t slot)
{
    if (!is_durable(stage, slot))
        return;
    journal_sync(stage->journals[slot]);
    account_acknowledge_slot(stage->scenario->account, slot);
}

static void
write_back(const struct stage *stage)
{
    if (stage->scenario->disk == NULL || is_durable(stage, SLOTS))
        return;
    disk_sync_all(stage->scenario->disk);
    account_note_synced(stage->scenario->account, stage->scenario->volume);
}

/* ---- setting aside and putting back */

static int
segments_fd(const struct stage *stage)
{
    return stage->heritages[SLOTS].fds[HERITAGE_FD_SEGMENTS];
}

/* Orders what waits for one of the outputs to be set aside. An order that was answered is let
 * go. */
static void
give_order(struct stage *stage)
{
    static const char new_name[] = SEGMENT_DIRECTORY_ORDER ".new";
    char text[64];
    int length = snprintf(text, sizeof(text), "file:%s", account_outputs[choose_output(stage)]);
    descriptor_close(&stage->order_fd);
    (void)unlinkat(segments_fd(stage), new_name, 0);
    int fd = openat(segments_fd(stage), new_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && pwrite(fd, text, (size_t)length, 0) == length &&
        rename_noreplace(segments_fd(stage), new_name, segments_fd(stage),
                         SEGMENT_DIRECTORY_ORDER) == 0)
        stage->order_fd = fd;
    else
        (void)close(fd);
    merge_look_again(stage->merge);
}

static int
put_back_entry(void *context, const struct dirent *entry)
{
    const struct stage *stage = context;
    const char *reason;
    if (aside_name_is(entry->d_name))
        (void)aside_store_put_back(segments_fd(stage), entry->d_name, &reason);
    return 0;
}

/* Puts back all that there is in aside/. */
static void
put_back(struct stage *stage)
{
    (void)directory_read(segments_fd(stage), SEGMENT_DIRECTORY_ASIDE, put_back_entry, stage);
    merge_look_again(stage->merge);
}

/* ---- troubles */

/* True once in so many times, if there is such trouble. */
static bool
comes(struct stage *stage, bool trouble, uint64_t times)
{
    return trouble && random_below(&stage->random, times) == 0;
}

/* What may befall a collector from its start on. */
static void
make_trouble(struct stage *stage)
{
    const struct scenario_troubles *troubles = &stage->scenario->troubles;
    if (comes(stage, troubles->full, 12))
        calls_limit_outputs(random_below(&stage->random, 1500));
    if (comes(stage, troubles->full, 50))
        calls_limit_outputs(UINT64_MAX);
    if (comes(stage, troubles->misses, 4))
        calls_miss_name(1 + random_below(&stage->random, 12));
    if (comes(stage, troubles->bars, stage->merge == NULL ? 1 : 4))
        calls_bar_names(random_below(&stage->random, 400), random_next(&stage->random));
    if (troubles->clocks) {
        calls_set_clocks(stage->clock_s, stage->server_s);
        stage->clock_s += STEP_CLOCK_S;
    }
}

static void
end_troubles(void)
{
    calls_limit_outputs(UINT64_MAX);
    calls_miss_name(0);
    calls_bar_names(0, 0);
}

static void
take_step(struct stage *stage)
{
    const struct scenario_troubles *troubles = &stage->scenario->troubles;
    uint64_t choice = random_below(&stage->random, 100);
    bool is_long = troubles->misses || troubles->bars;
    stage->now_ms += is_long ? STEP_MS_LONG : STEP_MS;
    make_trouble(stage);
    if (comes(stage, troubles->aside, 12))
        give_order(stage);
    if (comes(stage, troubles->aside, 100))
        put_back(stage);
    if (is_long)
        merge_look_again(stage->merge); /* as once a second */
    if (choice < 60)
        append(stage);
    else if (choice < 75)
        commit(stage, (uint32_t)random_below(&stage->random, SLOTS));
    else if (choice < 95)
        (void)merge_pass(stage->merge, stage->now_ms);
    else if (choice < 97)
        merge_look_again(stage->merge);
    else if (choice < 98)
        merge_release_idle(stage->merge);
    else
        write_back(stage);
}

/* Seals, and merges to the end as a collector that drains does. */
static bool
drain(struct stage *stage)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        commit(stage, slot);
        journal_close(&stage->journals[slot]);
    }
    end_troubles();
    descriptor_close(&stage->order_fd);
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        if (stage->scenario->troubles.aside)
            put_back(stage);
        merge_look_again(stage->merge);
        (void)merge_pass(stage->merge, stage->now_ms);
        stage->now_ms += STEP_MS;
        if (merge_is_empty(stage->merge)) {
            merge_release_idle(stage->merge);
            return true;
        }
    }
    return false;
}

bool
scenario_run(const struct scenario *scenario)
{
    struct stage stage = {.scenario = scenario,
                          .now_ms = clock_monotonic_ms(),
                          .clock_s = (int64_t)(scenario->number * scenario->steps * STEP_CLOCK_S),
                          .order_fd = -1};
    random_seed(&stage.random, scenario->seed);
    account_begin_child(scenario->account);
    if (!prepare(&stage))
        return false;
    make_trouble(&stage);
    if (merge_open(&stage.merge, &stage.heritages[SLOTS], NULL) != 0)
        return false;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (journal_open(&stage.journals[slot], &stage.heritages[slot]) != 0)
            return false;
    }
    for (uint32_t step = 0; step < scenario->steps; step++)
        take_step(&stage);
    return drain(&stage);
}
