/* set_aside.c -- carries out orders to set aside. Runs in the collector; output_aside.c has the
 * crash contract. */
#include "collector/set_aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/plural.h"
#include "collector/input/sources.h"
#include "collector/output/output.h"
#include "collector/output/outputs.h"
#include "common/heritage.h"
#include "segment/aside_store.h"
#include "segment/ledger_format.h"
#include "segment/segment_directory.h"
#include "segment/segment_name.h"
#include "segment/segment_store.h"

/* The word for a kind, a colon and a name. */
#define ORDER_BYTES_MAX (16U + SEGMENT_DESTINATION_BYTES_MAX)

/* An order waits so long for a sync of its output. */
#define SYNC_PATIENCE_MS 5000U

/* The output of that kind and name; NULL if there is none. Not by the index, which is on the way of
 * each record: it is seldom asked for. */
static struct output *
find_output(const struct outputs *outputs, enum segment_kind kind, struct bytes name)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (output_is(outputs->list[i], kind, name))
            return outputs->list[i];
    }
    return NULL;
}

/* ---- what an earlier collector left */

/* A directory while its files are judged. */
struct resolution {
    struct outputs *outputs;
    struct sources *sources;
    int segments_fd;
    int aside_fd;
    /* The last error, of whatever file, that may pass. */
    int error;
};

/* What is known of a sealed file that has not got its name. */
enum verdict { COUNTS, COUNTS_NOT, CANNOT_BE_TOLD };

static enum verdict
judge_record(const struct resolution *resolution, const struct segment_id *id,
             const struct segment_record *record)
{
    char ledger_name[LEDGER_NAME_BYTES_MAX];
    const struct output *output = find_output(resolution->outputs, record->kind, record->name);
    if (output != NULL && output_knows_aside(output, id))
        return COUNTS;
    ledger_name_format(ledger_name, record->kind, record->name);
    if (output == NULL &&
        faccessat(resolution->segments_fd, ledger_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return CANNOT_BE_TOLD; /* its ledger could not be read at the start */
    return COUNTS_NOT;
}

/* Gives a file its name, or removes it. Returns 0 or a negative errno. */
static int
carry_out(const struct resolution *resolution, const char *name,
          const struct segment_identity *identity, const struct segment_record *record,
          enum verdict verdict)
{
    char kept_name[ASIDE_NAME_BYTES_MAX];
    if (verdict == CANNOT_BE_TOLD)
        return -EAGAIN;
    if (verdict == COUNTS_NOT)
        return unlinkat(resolution->aside_fd, name, 0) == 0 ? 0 : -errno;
    return aside_store_keep(resolution->aside_fd, identity, record->kind, record->name,
                            resolution->sources->durable, kept_name);
}

/* Judges a file by its first record, which says whose it is, and by that output's ledger. */
static int
resolve_file(const struct resolution *resolution, const char *name)
{
    struct segment_facts facts;
    struct segment_reader *reader = NULL;
    struct segment_record record;
    const char *reason = NULL;
    int fd = aside_store_open_file(resolution->aside_fd, name, &facts, &reason);
    if (fd < 0)
        return fd;
    int result = segment_reader_open(&reader, fd, &facts, &resolution->sources->means.window);
    if (result != 0) {
        (void)close(fd);
        return result;
    }
    enum segment_next next = segment_reader_next(reader, &record);
    if (next == SEGMENT_NEXT_RECORD)
        result = carry_out(resolution, name, &facts.identity, &record,
                           judge_record(resolution, &facts.id, &record));
    else
        result = next == SEGMENT_NEXT_FAILED ? -EIO : -EBADMSG;
    segment_reader_close(&reader);
    return result;
}

/* Errors that tell of something that is no file of ours and never will be. */
static bool
is_strange(int error)
{
    return error == -EBADMSG || error == -EISDIR || error == -ENOTDIR || error == -ELOOP ||
           error == -ENXIO;
}

/* What is strange stays as it is, and keeps nobody waiting. */
static int
visit_entry(void *context, const struct dirent *entry)
{
    struct resolution *resolution = context;
    struct segment_identity identity;
    enum segment_state state;
    int result;
    if (!segment_name_parse(entry->d_name, &identity, &state))
        return 0;
    if (state == SEGMENT_STATE_SEALED)
        result = resolve_file(resolution, entry->d_name);
    else /* its collector died before it was whole */
        result = unlinkat(resolution->aside_fd, entry->d_name, 0) == 0 ? 0 : -errno;
    if (result != 0 && result != -ENOENT && !is_strange(result))
        resolution->error = result;
    return 0;
}

void
set_aside_resolve(struct set_aside *setting, struct outputs *outputs, struct sources *sources,
                  uint64_t now_ms)
{
    struct resolution resolution = {.outputs = outputs,
                                    .sources = sources,
                                    .segments_fd = sources->means.directory_fd,
                                    .aside_fd = aside_store_open(sources->means.directory_fd)};
    int result = resolution.aside_fd < 0
                     ? resolution.aside_fd
                     : directory_read(resolution.aside_fd, ".", visit_entry, &resolution);
    descriptor_close(&resolution.aside_fd);
    if (result == 0)
        result = resolution.error;
    setting->is_resolved = result == 0 || result == -ENOENT || is_strange(result);
    if (is_strange(result))
        log_write(LOG_LEVEL_ERROR,
                  SEGMENT_DIRECTORY_ASIDE " in segments.directory is no directory; move it away",
                  LOG_FIELDS(log_error(result)));
    else if (!setting->is_resolved)
        log_write_braked(&setting->brake, now_ms, LOG_LEVEL_ERROR,
                         "it cannot be told which files in " SEGMENT_DIRECTORY_ASIDE
                         "/ count; no segment is removed before that",
                         LOG_FIELDS(log_error(result)));
}

bool
set_aside_is_resolved(const struct set_aside *setting)
{
    return setting->is_resolved;
}

/* ---- orders */

/* Gets what has the order's name and is none out of the way. */
static void
remove_order(int segments_fd)
{
    if (unlinkat(segments_fd, SEGMENT_DIRECTORY_ORDER, 0) != 0 && errno != ENOENT)
        (void)segment_store_quarantine(segments_fd, SEGMENT_DIRECTORY_ORDER);
}

/* Whether somebody waits for an answer. */
static bool
is_awaited(int order_fd)
{
    if (flock(order_fd, LOCK_SH | LOCK_NB) != 0)
        return true;
    (void)flock(order_fd, LOCK_UN);
    return false;
}

/* Opens the order, if there is one and somebody waits for it. */
static void
take_order(struct set_aside *setting, int segments_fd, uint64_t now_ms)
{
    struct stat status;
    int fd =
        openat(segments_fd, SEGMENT_DIRECTORY_ORDER, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == EMFILE || errno == ENFILE))
        return;
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > (off_t)ORDER_BYTES_MAX || !is_awaited(fd)) {
        remove_order(segments_fd);
        descriptor_close(&fd);
        return;
    }
    setting->order_fd = fd;
    setting->order_bytes = (size_t)status.st_size;
    setting->records = 0;
    setting->files = 0;
    setting->taken_ms = now_ms;
}

/* The order is carried out, or never will be. */
static void
end_order(struct set_aside *setting, const struct outputs *outputs, int segments_fd)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_hold(outputs->list[i], false);
    remove_order(segments_fd);
    descriptor_close(&setting->order_fd);
}

/* Writes the answer, and ends the order. */
__attribute__((format(printf, 4, 5))) static void
answer(struct set_aside *setting, const struct outputs *outputs, int segments_fd,
       const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        (void)!pwrite(setting->order_fd, text, strlen(text), (off_t)setting->order_bytes);
    end_order(setting, outputs, segments_fd);
}

bool
set_aside_is_under_way(const struct set_aside *setting)
{
    return setting->order_fd >= 0;
}

/* The output that the order names; NULL if there is none. */
static struct output *
find_ordered(const struct set_aside *setting, const struct outputs *outputs)
{
    char text[ORDER_BYTES_MAX];
    ssize_t got = pread(setting->order_fd, text, sizeof(text), 0);
    if (got < (ssize_t)setting->order_bytes)
        return NULL;
#define KIND(name, number, word, is_named) SEGMENT_##name,
    static const enum segment_kind kinds[] = {SEGMENT_KINDS(KIND)};
#undef KIND
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *word = segment_kind_word((uint16_t)kinds[i]);
        size_t begin = strlen(word);
        if (setting->order_bytes < begin || memcmp(text, word, begin) != 0)
            continue;
        if (setting->order_bytes > begin && text[begin] == ':')
            begin++;
        struct output *output = find_output(
            outputs, kinds[i], (struct bytes){text + begin, setting->order_bytes - begin});
        if (output != NULL)
            return output;
    }
    return NULL;
}

/* Sets some aside, and answers when that was all, or an error. Until then the output is not tried
 * again: it would take a part of what is to go aside. */
static void
go_on(struct set_aside *setting, struct outputs *outputs, struct sources *sources,
      struct output *output)
{
    int segments_fd = sources->means.directory_fd;
    char records[PLURAL_BYTES];
    char files[PLURAL_BYTES];
    struct output_aside made;
    int result = output_set_aside(output, sources, &made);
    if (result != 0) {
        answer(setting, outputs, segments_fd,
               "-%s; %s set aside before that, the others still wait", strerror(-result),
               plural(records, setting->records, "record"));
        return;
    }
    output_hold(output, true);
    setting->records += made.records;
    setting->files += made.records > 0 ? 1 : 0;
    setting->is_resolved = setting->is_resolved && !made.unnamed;
    outputs_recount_skips(outputs, sources);
    if (!made.more)
        answer(setting, outputs, segments_fd, "+%s set aside in %s",
               plural(records, setting->records, "record"), plural(files, setting->files, "file"));
}

void
set_aside_step(struct set_aside *setting, struct outputs *outputs, struct sources *sources,
               uint64_t now_ms)
{
    int segments_fd = sources->means.directory_fd;
    if (setting->order_fd < 0)
        take_order(setting, segments_fd, now_ms);
    if (setting->order_fd < 0)
        return;
    struct output *output = find_ordered(setting, outputs);
    if (!is_awaited(setting->order_fd))
        end_order(setting, outputs, segments_fd);
    else if (output == NULL)
        answer(setting, outputs, segments_fd, "-there is no such output, or nothing waits for it");
    else if (!output_is_blocked(output))
        answer(setting, outputs, segments_fd, "-the output can be written: nothing is set aside");
    else if (!output_is_syncing(output))
        go_on(setting, outputs, sources, output);
    else if (now_ms - setting->taken_ms >= SYNC_PATIENCE_MS)
        answer(setting, outputs, segments_fd,
               "-a sync of the output is under way and takes long; say it again when it is done");
}

void
set_aside_close(struct set_aside *setting)
{
    descriptor_close(&setting->order_fd);
}
