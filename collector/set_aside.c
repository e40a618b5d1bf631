/* set_aside.c -- carries out orders to set aside. Runs in the collector; output_aside.c has the
 * crash contract. */
#include "collector/set_aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/directory.h"
#include "base/disk.h"
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

/* The word for a kind, a colon and a name. */
#define ORDER_BYTES_MAX (16U + SEGMENT_DESTINATION_BYTES_MAX)

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
    int result =
        aside_store_keep(resolution->aside_fd, identity, record->kind, record->name, kept_name);
    if (result == 0 && resolution->sources->durable)
        disk_sync(resolution->aside_fd, SEGMENT_DIRECTORY_ASIDE);
    return result;
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

static int
visit_entry(void *context, const struct dirent *entry)
{
    const struct resolution *resolution = context;
    struct segment_identity identity;
    enum segment_state state;
    if (!segment_name_parse(entry->d_name, &identity, &state))
        return 0;
    if (state != SEGMENT_STATE_SEALED) /* its collector died before it was whole */
        return unlinkat(resolution->aside_fd, entry->d_name, 0) == 0 ? 0 : -errno;
    int result = resolve_file(resolution, entry->d_name);
    if (result != 0)
        log_write(LOG_LEVEL_ERROR, "it cannot be told whether a file of set-aside records counts",
                  LOG_FIELDS(log_string("file", entry->d_name), log_error(result)));
    /* What is damaged stays as it is, and keeps nobody waiting. */
    return result == -EBADMSG || result == -ENOENT ? 0 : result;
}

void
set_aside_resolve(struct set_aside *setting, struct outputs *outputs, struct sources *sources)
{
    struct resolution resolution = {.outputs = outputs,
                                    .sources = sources,
                                    .segments_fd = sources->means.directory_fd,
                                    .aside_fd = aside_store_open(sources->means.directory_fd)};
    int result = resolution.aside_fd < 0
                     ? resolution.aside_fd
                     : directory_read(resolution.aside_fd, ".", visit_entry, &resolution);
    descriptor_close(&resolution.aside_fd);
    setting->is_resolved = result == 0 || result == -ENOENT;
}

bool
set_aside_is_resolved(const struct set_aside *setting)
{
    return setting->is_resolved;
}

/* ---- orders */

/* Opens the order, if there is one and somebody waits for it. */
static void
take_order(struct set_aside *setting, int segments_fd)
{
    struct stat status;
    int fd =
        openat(segments_fd, SEGMENT_DIRECTORY_ORDER, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > (off_t)ORDER_BYTES_MAX || flock(fd, LOCK_SH | LOCK_NB) == 0) {
        (void)unlinkat(segments_fd, SEGMENT_DIRECTORY_ORDER, 0);
        (void)close(fd);
        return;
    }
    setting->order_fd = fd;
    setting->order_bytes = (size_t)status.st_size;
    setting->records = 0;
    setting->files = 0;
}

/* Writes the answer, and ends the order. */
__attribute__((format(printf, 3, 4))) static void
answer(struct set_aside *setting, int segments_fd, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        (void)!pwrite(setting->order_fd, text, strlen(text), (off_t)setting->order_bytes);
    (void)unlinkat(segments_fd, SEGMENT_DIRECTORY_ORDER, 0);
    descriptor_close(&setting->order_fd);
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

static void
answer_done(struct set_aside *setting, int segments_fd)
{
    char records[PLURAL_BYTES];
    char files[PLURAL_BYTES];
    answer(setting, segments_fd, "+%s set aside in %s", plural(records, setting->records, "record"),
           plural(files, setting->files, "file"));
}

/* Sets some aside, and answers when that was all, or an error. */
static void
go_on(struct set_aside *setting, struct outputs *outputs, struct sources *sources,
      struct output *output)
{
    int segments_fd = sources->means.directory_fd;
    struct output_aside made;
    int result = output_set_aside(output, sources, &made);
    if (result != 0) {
        answer(setting, segments_fd,
               "-%s; %" PRIu64 " records were set aside before that, the others still wait",
               strerror(-result), setting->records);
        return;
    }
    setting->records += made.records;
    setting->files += made.records > 0 ? 1 : 0;
    setting->is_resolved = setting->is_resolved && !made.unnamed;
    outputs_recount_skips(outputs, sources);
    if (!made.more)
        answer_done(setting, segments_fd);
}

void
set_aside_step(struct set_aside *setting, struct outputs *outputs, struct sources *sources)
{
    int segments_fd = sources->means.directory_fd;
    if (setting->order_fd < 0)
        take_order(setting, segments_fd);
    if (setting->order_fd < 0)
        return;
    struct output *output = find_ordered(setting, outputs);
    if (output == NULL)
        answer(setting, segments_fd, "-there is no such output, or nothing waits for it");
    else if (output_is_syncing(output))
        return; /* it is settled soon */
    else if (output_is_blocked(output))
        go_on(setting, outputs, sources, output);
    else if (setting->records > 0)
        answer_done(setting, segments_fd);
    else
        answer(setting, segments_fd, "-the output can be written: nothing is set aside");
}

void
set_aside_close(struct set_aside *setting)
{
    descriptor_close(&setting->order_fd);
}
