/* ledger.c -- creates, opens, writes and removes an output's ledger file. Runs in the collector. */
#include "collector/output/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/descriptors.h"
#include "base/disk.h"
#include "base/invariant.h"
#include "base/log.h"
#include "segment/ledger_reader.h"

struct ledger {
    int directory_fd; /* borrowed */
    /* -1 while the file is let go of. */
    int fd;
    char file_name[LEDGER_NAME_BYTES_MAX];
    /* Of the record that counts. */
    uint64_t generation;
    enum segment_kind kind;
    char *output_name;
    size_t output_name_bytes;
    /* Room to build or hold a record. */
    struct ledger_record record;
};

/* Builds a record in memory. Returns 0 or a negative errno. */
static int
build_record(struct ledger *ledger, uint64_t generation, const struct ledger_mark *mark,
             const struct ledger_position *positions, size_t position_count)
{
    const struct ledger_state state = {.generation = generation,
                                       .kind = ledger->kind,
                                       .name = {ledger->output_name, ledger->output_name_bytes},
                                       .mark = *mark,
                                       .positions = positions,
                                       .position_count = position_count};
    size_t size = ledger_record_bytes(state.name.size, position_count);
    if (size > LEDGER_COPY_BYTES)
        return -E2BIG;
    int result = ledger_record_reserve(&ledger->record, size);
    if (result != 0)
        return result;
    ledger_record_encode(ledger->record.bytes, &state);
    ledger->record.size = size;
    return 0;
}

/* The block in which the record of a generation stands. */
static unsigned
block_of(uint64_t generation)
{
    return (unsigned)(generation % LEDGER_BLOCKS);
}

/* Writes the record in memory to one copy of its block. Returns 0 or a negative errno. */
static int
write_copy(const struct ledger *ledger, unsigned copy)
{
    const struct ledger_record *record = &ledger->record;
    unsigned block = block_of(ledger_record_generation(record->bytes));
    ssize_t written =
        pwrite(ledger->fd, record->bytes, record->size, ledger_copy_offset(block, copy));
    if (written != (ssize_t)record->size)
        return written < 0 ? -errno : -ENOSPC;
    return 0;
}

/* Writes the record in memory to its block. With the first copy it counts, and before that the
 * other block does. A second copy that cannot be written is no failure: what the ledger says is
 * the same. */
static int
write_record(struct ledger *ledger, uint64_t generation)
{
    const struct ledger_record *record = &ledger->record;
    INVARIANT(record->size > 0 && ledger_record_generation(record->bytes) == generation);
    int result = write_copy(ledger, 0);
    if (result != 0)
        return result;
    ledger->generation = generation;
    crash_point("ledger.written");
    (void)write_copy(ledger, 1);
    crash_point("ledger.copied");
    return 0;
}

/* Reads what the file says. Returns 0, -EBADMSG if no block is whole, or another negative errno if
 * one cannot be read now: it might be the newer. */
static int
read_newest(struct ledger *ledger, struct ledger_state *state_r)
{
    int faults[LEDGER_BLOCKS];
    unsigned newest = ledger_record_read_newest(&ledger->record, ledger->fd, faults);
    for (unsigned block = 0; block < LEDGER_BLOCKS; block++) {
        if (faults[block] != 0 && faults[block] != -EBADMSG)
            return faults[block];
    }
    if (newest == LEDGER_BLOCKS)
        return -EBADMSG;
    int result = ledger_record_state(&ledger->record, state_r);
    if (result != 0)
        return result;
    ledger->generation = state_r->generation;
    ledger->kind = state_r->kind;
    return 0;
}

static int
refuse_strange_file(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    return S_ISREG(status.st_mode) ? 0 : -EBADMSG;
}

/* Opens the file by its name and reads it. Returns 0 or a negative errno, and the file is
 * closed. */
static int
open_file(struct ledger *ledger, struct ledger_state *state_r)
{
    ledger->fd = openat(ledger->directory_fd, ledger->file_name,
                        O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int result = ledger->fd < 0 ? -errno : refuse_strange_file(ledger->fd);
    if (result == 0)
        result = read_newest(ledger, state_r);
    if (result != 0)
        ledger_let_go(ledger);
    return result;
}

/* Opens the file again if it was let go of. What it says then must be what it said. */
static int
have_file(struct ledger *ledger)
{
    struct ledger_state state;
    uint64_t generation = ledger->generation;
    if (ledger->fd >= 0)
        return 0;
    int result = open_file(ledger, &state);
    if (result == 0 && ledger->generation != generation) {
        ledger->generation = generation;
        ledger_let_go(ledger);
        result = -ESTALE;
    }
    return result == -EBADMSG ? -ESTALE : result;
}

void
ledger_let_go(struct ledger *ledger)
{
    descriptor_close(&ledger->fd);
}

bool
ledger_is_there(struct ledger *ledger)
{
    struct stat status;
    int result = have_file(ledger);
    if (result != 0)
        return result != -ENOENT && result != -ESTALE;
    return fstat(ledger->fd, &status) == 0 && status.st_nlink > 0;
}

int
ledger_write(struct ledger *ledger, const struct ledger_mark *mark,
             const struct ledger_position *positions, size_t position_count)
{
    uint64_t generation = ledger->generation + 1;
    int result = have_file(ledger);
    if (result == 0)
        result = build_record(ledger, generation, mark, positions, position_count);
    return result == 0 ? write_record(ledger, generation) : result;
}

int
ledger_rewrite(struct ledger *ledger)
{
    int result = have_file(ledger);
    if (result == 0)
        result = ledger_record_read(&ledger->record, ledger->fd, block_of(ledger->generation));
    if (result == 0 && ledger_record_generation(ledger->record.bytes) != ledger->generation)
        result = -EBADMSG;
    return result == 0 ? write_record(ledger, ledger->generation) : result;
}

/* A ledger in memory, with nothing open yet. */
static struct ledger *
ledger_new(int directory_fd, const char *file_name)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL)
        return NULL;
    ledger->directory_fd = directory_fd;
    ledger->fd = -1;
    memcpy(ledger->file_name, file_name, strlen(file_name) + 1);
    return ledger;
}

static int
keep_output_name(struct ledger *ledger, struct bytes output_name)
{
    INVARIANT(output_name.size < SEGMENT_DESTINATION_BYTES_MAX);
    ledger->output_name = malloc(output_name.size + 1);
    if (ledger->output_name == NULL)
        return -ENOMEM;
    if (output_name.size > 0)
        memcpy(ledger->output_name, output_name.data, output_name.size);
    ledger->output_name_bytes = output_name.size;
    return 0;
}

int
ledger_open_existing(struct ledger **out, int directory_fd, const char *name,
                     struct ledger_state *state_r)
{
    struct ledger *ledger = ledger_new(directory_fd, name);
    if (ledger == NULL)
        return -ENOMEM;
    int result = open_file(ledger, state_r);
    if (result == 0)
        result = keep_output_name(ledger, state_r->name);
    if (result != 0) {
        ledger_close(&ledger);
        return result;
    }
    *out = ledger;
    return 0;
}

/* Builds the first record under a temporary name, so that the ledger's own name never shows a part
 * of it. */
static int
create_file(struct ledger *ledger, bool durable)
{
    char temporary[LEDGER_NAME_BYTES_MAX + 8];
    static const struct ledger_mark nothing;
    (void)snprintf(temporary, sizeof(temporary), "%s.new", ledger->file_name);
    ledger->fd =
        openat(ledger->directory_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (ledger->fd < 0)
        return -errno;
    crash_point("ledger.created");
    int result = ledger_write(ledger, &nothing, NULL, 0);
    if (result == 0)
        result = ledger_write(ledger, &nothing, NULL, 0); /* both blocks have room on the volume */
    if (result == 0 && durable)
        ledger_sync(ledger);
    if (result == 0 &&
        renameat(ledger->directory_fd, temporary, ledger->directory_fd, ledger->file_name) != 0)
        result = -errno;
    crash_point("ledger.renamed");
    if (result != 0)
        (void)unlinkat(ledger->directory_fd, temporary, 0);
    else if (durable)
        disk_sync(ledger->directory_fd, "segments.directory");
    return result;
}

int
ledger_open(struct ledger **out, int directory_fd, enum segment_kind kind, struct bytes output_name,
            bool durable, bool *created_r)
{
    char name[LEDGER_NAME_BYTES_MAX];
    struct ledger_state state = {.position_count = 0};
    ledger_name_format(name, kind, output_name);
    *created_r = false;
    int result = ledger_open_existing(out, directory_fd, name, &state);
    if (result == 0 && state.kind == kind && bytes_equal(state.name, output_name))
        return 0;
    if (result == 0) {
        ledger_close(out); /* another output's, by an accident of hashing */
        return -EEXIST;
    }
    if (result != -ENOENT)
        return result;

    struct ledger *ledger = ledger_new(directory_fd, name);
    if (ledger == NULL)
        return -ENOMEM;
    ledger->kind = kind;
    result = keep_output_name(ledger, output_name);
    if (result == 0)
        result = create_file(ledger, durable);
    if (result != 0) {
        ledger_close(&ledger);
        return result;
    }
    *created_r = true;
    *out = ledger;
    return 0;
}

void
ledger_sync(const struct ledger *ledger)
{
    INVARIANT(ledger->fd >= 0);
    disk_sync_data(ledger->fd, ledger->file_name);
}

void
ledger_close(struct ledger **lp)
{
    struct ledger *ledger = *lp;
    if (ledger == NULL)
        return;
    *lp = NULL;
    ledger_let_go(ledger);
    free(ledger->output_name);
    ledger_record_clear(&ledger->record);
    free(ledger);
}

void
ledger_remove(struct ledger **lp)
{
    if (*lp == NULL)
        return;
    if (unlinkat((*lp)->directory_fd, (*lp)->file_name, 0) != 0 && errno != ENOENT)
        log_write(LOG_LEVEL_WARNING, "cannot remove a ledger",
                  LOG_FIELDS(log_string("ledger", (*lp)->file_name), log_error(errno)));
    crash_point("ledger.removed");
    ledger_close(lp);
}
