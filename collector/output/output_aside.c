/* output_aside.c -- sets aside what waits for one output. Runs in the collector.
 *
 * What is set aside becomes a segment (segment/aside_store.h), written whole before the ledger is
 * settled. The ledger's record that settles the waiting records also has a position of that
 * segment: by this a successor knows whether the file counts. It is the one step that decides.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/descriptors.h"
#include "base/invariant.h"
#include "base/log.h"
#include "collector/output/delivery_count.h"
#include "collector/output/output_private.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

/* So much text at a time, or one record. */
#define TEXTS_MAX ((size_t)32 << 20)

/* What is being set aside. */
struct setting_aside {
    struct output *output;
    struct sources *sources;
    struct batch_reading reading;
    /* By record: it stands in the output. NULL = none does. */
    bool *stands;
    uint64_t records;
    uint64_t bytes;
    /* So many sources were read as far as the output has passed over, from the first one on. */
    size_t sources_read;
    /* aside/, and the segment there. */
    int aside_fd;
    struct segment_facts facts;
};

static bool
is_wanted(const struct setting_aside *setting, size_t i)
{
    return setting->stands == NULL || !setting->stands[i];
}

/* Reads what was passed over. Returns 0, -ENOBUFS if more waits, or a negative errno. */
static int
read_waiting(struct setting_aside *setting)
{
    const struct output *output = setting->output;
    int result = 0;
    for (size_t i = 0; i < setting->sources->count && result == 0; i++) {
        const struct source *source = setting->sources->list[i];
        struct ledger_position run = {.id = source->facts.id,
                                      .identity = source->facts.identity,
                                      .before = positions_get(&output->positions, source),
                                      .after = source->position.offset};
        if (skips_get(&output->skips, source).offset != 0)
            result = batch_reading_add(&setting->reading, setting->sources, &run);
        setting->sources_read += result == 0 ? 1 : 0;
    }
    return result;
}

/* Of the unfinished batch, looks what stands: that is delivered, and with durability "machine" on
 * the disk. */
static int
look(struct setting_aside *setting)
{
    const struct batch *batch = &setting->reading.batch;
    struct output *output = setting->output;
    if (batch->count == 0)
        return 0;
    setting->stands = calloc(batch->count, sizeof(*setting->stands));
    if (setting->stands == NULL)
        return -ENOMEM;
    int result = output->operations->look(output->destination, &output->mark, batch->payloads,
                                          batch->count, output->durable, setting->stands);
    bool any = false;
    for (size_t i = 0; i < batch->count; i++)
        any = any || setting->stands[i];
    if (result == 0 && any)
        output_sync_destination(output);
    return result;
}

/* Reads what is to be set aside: the unfinished batch, or else what waits. Returns as
 * read_waiting(). */
static int
read_records(struct setting_aside *setting)
{
    struct output *output = setting->output;
    bool unfinished = output->phase == OUTPUT_UNFINISHED;
    int more = unfinished ? output_read_unfinished(output, setting->sources, &setting->reading)
                          : read_waiting(setting);
    if (more != 0 && more != -ENOBUFS)
        return more;
    batch_reading_end(&setting->reading);
    int result = unfinished ? look(setting) : 0;
    if (result != 0)
        return result;
    for (size_t i = 0; i < setting->reading.batch.count; i++) {
        if (!is_wanted(setting, i))
            continue;
        setting->records++;
        setting->bytes += setting->reading.batch.payloads[i].iov_len;
    }
    return unfinished ? -ENOBUFS : more;
}

/* ---- the file */

static uint64_t
file_bytes(const struct setting_aside *setting)
{
    const struct batch *batch = &setting->reading.batch;
    uint64_t bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (is_wanted(setting, i))
            bytes += segment_record_bytes(setting->output->name_bytes + batch->payloads[i].iov_len);
    }
    return segment_writer_file_bytes(bytes); /* one of that size has room for all of them */
}

static int
append_records(const struct setting_aside *setting, struct segment_writer *writer)
{
    const struct output *output = setting->output;
    const struct batch *batch = &setting->reading.batch;
    int result = 0;
    for (size_t i = 0; i < batch->count && result == 0; i++) {
        struct segment_record record = {
            .kind = output->kind,
            .name = {output->name, output->name_bytes},
            .payload = {batch->payloads[i].iov_base, batch->payloads[i].iov_len}};
        if (is_wanted(setting, i))
            result = segment_writer_append(writer, &record);
    }
    return result;
}

static void
remove_file(const struct setting_aside *setting, enum segment_state state)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(name, &setting->facts.identity, state);
    (void)unlinkat(setting->aside_fd, name, 0);
}

/* Writes the segment. Returns 0, or a negative errno with nothing left behind. */
static int
write_segment(struct setting_aside *setting)
{
    uint64_t now_ns = clock_realtime_ns();
    const struct segment_identity identity = {SEGMENT_SLOT_ASIDE, now_ns / 1000000,
                                              now_ns % 1000000};
    struct segment_writer *writer = NULL;
    char sealed_name[SEGMENT_NAME_BYTES_MAX];
    const char *reason;
    setting->facts.identity = identity;
    int result = segment_writer_create(&writer, setting->aside_fd, &identity, 0,
                                       file_bytes(setting), setting->output->durable);
    if (result != 0)
        return result;
    result = append_records(setting, writer);
    if (result != 0) {
        segment_writer_abandon(&writer);
        remove_file(setting, SEGMENT_STATE_OPEN);
        return result;
    }
    segment_writer_seal(&writer);
    segment_name_format(sealed_name, &identity, SEGMENT_STATE_SEALED);
    int fd = aside_store_open_file(setting->aside_fd, sealed_name, &setting->facts, &reason);
    if (fd < 0) {
        remove_file(setting, SEGMENT_STATE_OPEN);
        remove_file(setting, SEGMENT_STATE_SEALED);
        return fd == -ENOENT ? -EIO : fd; /* it could not be sealed, and the log says why */
    }
    (void)close(fd);
    return 0;
}

/* ---- the ledger */

/* Settles the ledger, with a position of the segment if there is one. */
static int
settle(struct setting_aside *setting)
{
    struct output *output = setting->output;
    const struct ledger_position note = {setting->facts.id, setting->facts.identity,
                                         setting->facts.start.offset, setting->facts.start.offset};
    bool noted = setting->records > 0;
    int result = output_have_ledger(output);
    if (result == 0 && noted)
        result = positions_note(&output->positions, &note);
    if (result != 0)
        return result;
    result = output_settle(output, setting->sources, &setting->reading.batch, &output->mark);
    if (result == 0)
        output_sync_ledger(output);
    else if (noted)
        positions_take_back_note(&output->positions);
    return result;
}

/* Makes the segment and settles the ledger. Returns 0, or a negative errno with nothing changed. */
static int
move_records(struct setting_aside *setting)
{
    int segments_fd = setting->output->heritage->fds[HERITAGE_FD_SEGMENTS];
    int result = setting->records > 0 ? write_segment(setting) : 0;
    if (result != 0)
        return result;
    if (setting->output->durable)
        segment_store_sync(segments_fd);
    crash_point("aside.written");
    result = settle(setting);
    crash_point("aside.settled");
    if (result != 0 && setting->records > 0)
        remove_file(setting, SEGMENT_STATE_SEALED);
    return result;
}

/* Gives the segment, which counts, its name. */
static void
name_segment(const struct setting_aside *setting, struct output_aside *made)
{
    const struct output *output = setting->output;
    int result = aside_store_keep(setting->aside_fd, &setting->facts.identity, output->kind,
                                  (struct bytes){output->name, output->name_bytes}, output->durable,
                                  made->name);
    made->unnamed = result != 0;
    if (result != 0)
        log_write(LOG_LEVEL_ERROR, "what was set aside cannot be given its name; trying again",
                  LOG_FIELDS(log_string("output", output_log_name(output)), log_error(result)));
    log_write(LOG_LEVEL_WARNING, "records were set aside; they are not delivered",
              LOG_FIELDS(log_string("output", output_log_name(output)),
                         log_u64("records", made->records), log_u64("bytes", made->bytes),
                         log_string("file", result == 0 ? made->name : "")));
}

/* ---- the output */

/* What stands in the output of the unfinished batch is delivered now. */
static void
count_standing(struct setting_aside *setting)
{
    struct batch *batch = &setting->reading.batch;
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (is_wanted(setting, i))
            continue;
        batch->origins[kept] = batch->origins[i];
        batch->payloads[kept++] = batch->payloads[i];
    }
    batch->count = kept;
    delivery_count_add(setting->output->heritage, output_log_name(setting->output), batch);
}

/* The output after that: settled, and with nothing that waits unless there is more. */
static void
note_moved(struct setting_aside *setting, bool more)
{
    struct output *output = setting->output;
    if (output->phase == OUTPUT_UNFINISHED)
        output_enter_phase(output, OUTPUT_SETTLED);
    for (size_t i = 0; i < setting->sources_read; i++)
        skips_take(&output->skips, setting->sources->list[i]);
    if (!more)
        output->refusal.oldest_ns = 0;
    count_standing(setting);
    tally_add(&output->heritage->scoreboard->collector.records_aside, setting->records);
}

/* Opens aside/, and makes it if it is not there. Returns a descriptor or a negative errno. */
static int
open_directory(int segments_fd)
{
    int result = segment_directory_make(segments_fd, SEGMENT_DIRECTORY_ASIDE);
    return result == 0 ? aside_store_open(segments_fd) : result;
}

/* Sets aside what was read. */
static int
set_aside(struct setting_aside *setting, struct output_aside *made)
{
    if (setting->records > 0)
        setting->aside_fd = open_directory(setting->output->heritage->fds[HERITAGE_FD_SEGMENTS]);
    if (setting->aside_fd < -1)
        return setting->aside_fd;
    int result = move_records(setting);
    if (result == 0) {
        made->records = setting->records;
        made->bytes = setting->bytes;
        if (setting->records > 0)
            name_segment(setting, made);
        note_moved(setting, made->more);
    }
    descriptor_close(&setting->aside_fd);
    return result;
}

int
output_set_aside(struct output *output, struct sources *sources, struct output_aside *made_r)
{
    struct setting_aside setting = {
        .output = output,
        .sources = sources,
        .reading = output_begin_reading(output),
        .aside_fd = -1,
    };
    INVARIANT(output_is_blocked(output));
    *made_r = (struct output_aside){.records = 0};
    if (!output_is_secured(output))
        return output->refusal.error;
    if (output->phase != OUTPUT_UNFINISHED) /* else the whole batch at once */
        setting.reading.texts_max = TEXTS_MAX;
    int result = read_records(&setting);
    made_r->more = result == -ENOBUFS;
    if (result == 0 || result == -ENOBUFS)
        result = set_aside(&setting, made_r);
    free(setting.stands);
    batch_reading_clear(&setting.reading);
    return result;
}

bool
output_knows_aside(const struct output *output, const struct segment_id *id)
{
    return positions_has_note(&output->positions, id);
}
