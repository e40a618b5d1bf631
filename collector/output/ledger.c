/* ledger.c -- reads and writes the two blocks of an output's ledger. Runs in the collector;
 * ledger.h has the layout. */
#include "collector/output/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/crash_point.h"
#include "base/disk.h"
#include "base/invariant.h"
#include "base/log.h"

#define LEDGER_MAGIC "mygrpcld"
#define LEDGER_VERSION 1U
#define LEDGER_PREFIX "ledger-"
#define LEDGER_CHECKSUM_BYTES 8U
#define LEDGER_BLOCKS 2U

/* On disk. */
struct ledger_header {
    char magic[8];                   /*  0 */
    unsigned char version[4];        /*  8 */
    unsigned char record_bytes[4];   /* 12 */
    unsigned char generation[8];     /* 16 */
    unsigned char device[8];         /* 24 */
    unsigned char inode[8];          /* 32 */
    unsigned char offset[8];         /* 40 */
    unsigned char length[8];         /* 48 */
    unsigned char kind[2];           /* 56 */
    unsigned char name_bytes[2];     /* 58 */
    unsigned char position_count[4]; /* 60 */
};
_Static_assert(sizeof(struct ledger_header) == 64, "on disk");
_Static_assert(sizeof(struct ledger_position) == 24, "on disk");

struct ledger {
    int directory_fd; /* borrowed */
    int fd;
    char file_name[LEDGER_NAME_BYTES_MAX];
    uint64_t generation; /* of the block that counts; it stands in block generation % 2 */
    enum segment_kind kind;
    char *output_name;
    size_t output_name_bytes;
    unsigned char *record; /* room to build or hold a record */
    size_t record_capacity;
};

static size_t
padded(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static size_t
record_bytes(size_t name_bytes, size_t position_count)
{
    return sizeof(struct ledger_header) + padded(name_bytes) +
           position_count * sizeof(struct ledger_position) + LEDGER_CHECKSUM_BYTES;
}

void
ledger_name_format(char name[static LEDGER_NAME_BYTES_MAX], enum segment_kind kind,
                   struct bytes output_name)
{
    XXH128_hash_t hash =
        XXH3_128bits_withSeed(output_name.data, output_name.size, (XXH64_hash_t)kind);
    int length = snprintf(name, LEDGER_NAME_BYTES_MAX, LEDGER_PREFIX "%016llx%016llx",
                          (unsigned long long)hash.high64, (unsigned long long)hash.low64);
    INVARIANT(length > 0 && length < (int)LEDGER_NAME_BYTES_MAX);
}

bool
ledger_name_is(const char *name)
{
    size_t prefix = strlen(LEDGER_PREFIX);
    return strncmp(name, LEDGER_PREFIX, prefix) == 0 &&
           strspn(name + prefix, "0123456789abcdef") == 32 && name[prefix + 32] == '\0';
}

static int
reserve_record(struct ledger *ledger, size_t bytes)
{
    if (ledger->record != NULL && bytes <= ledger->record_capacity)
        return 0;
    unsigned char *grown = realloc(ledger->record, bytes * 2);
    if (grown == NULL)
        return -ENOMEM;
    ledger->record = grown;
    ledger->record_capacity = bytes * 2;
    return 0;
}

/* Lays a record out in memory. Returns its size, or a negative errno. */
static ssize_t
build_record(struct ledger *ledger, uint64_t generation, const struct ledger_mark *mark,
             const struct ledger_position *positions, size_t position_count)
{
    size_t total = record_bytes(ledger->output_name_bytes, position_count);
    if (total > LEDGER_BLOCK_BYTES)
        return -E2BIG;
    int result = reserve_record(ledger, total);
    if (result != 0)
        return result;
    memset(ledger->record, 0, total);
    struct ledger_header *header = (void *)ledger->record;
    memcpy(header->magic, LEDGER_MAGIC, sizeof(header->magic));
    le32_put(header->version, LEDGER_VERSION);
    le32_put(header->record_bytes, (uint32_t)total);
    le64_put(header->generation, generation);
    le64_put(header->device, mark->device);
    le64_put(header->inode, mark->inode);
    le64_put(header->offset, mark->offset);
    le64_put(header->length, mark->length);
    le16_put(header->kind, (uint16_t)ledger->kind);
    le16_put(header->name_bytes, (uint16_t)ledger->output_name_bytes);
    le32_put(header->position_count, (uint32_t)position_count);

    unsigned char *at = ledger->record + sizeof(*header);
    if (ledger->output_name_bytes > 0)
        memcpy(at, ledger->output_name, ledger->output_name_bytes);
    at += padded(ledger->output_name_bytes);
    for (size_t i = 0; i < position_count; i++, at += sizeof(*positions)) {
        memcpy(at, &positions[i].id, sizeof(positions[i].id));
        le64_put(at + sizeof(positions[i].id), positions[i].offset);
    }
    le64_put(at, XXH3_64bits(ledger->record, total - LEDGER_CHECKSUM_BYTES));
    return (ssize_t)total;
}

/* Writes the record in memory to the block whose turn it is. */
static int
write_record(struct ledger *ledger, uint64_t generation, size_t bytes)
{
    off_t at = (off_t)(generation % LEDGER_BLOCKS * LEDGER_BLOCK_BYTES);
    ssize_t written = pwrite(ledger->fd, ledger->record, bytes, at);
    if (written != (ssize_t)bytes)
        return written < 0 ? -errno : -ENOSPC; /* the other block still stands */
    ledger->generation = generation;
    crash_point("ledger.written");
    return 0;
}

bool
ledger_is_there(const struct ledger *ledger)
{
    struct stat status;
    return fstat(ledger->fd, &status) == 0 && status.st_nlink > 0;
}

int
ledger_write(struct ledger *ledger, const struct ledger_mark *mark,
             const struct ledger_position *positions, size_t position_count)
{
    uint64_t generation = ledger->generation + 1;
    ssize_t bytes = build_record(ledger, generation, mark, positions, position_count);
    if (bytes < 0)
        return (int)bytes;
    return write_record(ledger, generation, (size_t)bytes);
}

/* Reads from the file. Returns 0, -EBADMSG if it ends before, or another negative errno. */
static int
read_bytes(const struct ledger *ledger, void *to, size_t size, off_t at)
{
    ssize_t got = pread(ledger->fd, to, size, at);
    if (got < 0)
        return -errno;
    return got == (ssize_t)size ? 0 : -EBADMSG;
}

/* Reads one block into the ledger's memory and verifies it. Returns 0, -EBADMSG if it is not valid,
 * or another negative errno if it cannot be read now. */
static int
read_block(struct ledger *ledger, unsigned block)
{
    struct ledger_header header;
    off_t at = (off_t)block * LEDGER_BLOCK_BYTES;
    int result = read_bytes(ledger, &header, sizeof(header), at);
    if (result != 0)
        return result;
    size_t total = le32_get(header.record_bytes);
    if (memcmp(header.magic, LEDGER_MAGIC, sizeof(header.magic)) != 0 ||
        le32_get(header.version) != LEDGER_VERSION || total > LEDGER_BLOCK_BYTES ||
        le16_get(header.name_bytes) >= SEGMENT_DESTINATION_BYTES_MAX ||
        total != record_bytes(le16_get(header.name_bytes), le32_get(header.position_count)))
        return -EBADMSG;
    result = reserve_record(ledger, total);
    if (result == 0)
        result = read_bytes(ledger, ledger->record, total, at);
    if (result != 0)
        return result;
    return le64_get(ledger->record + total - LEDGER_CHECKSUM_BYTES) ==
                   XXH3_64bits(ledger->record, total - LEDGER_CHECKSUM_BYTES)
               ? 0
               : -EBADMSG;
}

int
ledger_settle(struct ledger *ledger)
{
    int result = read_block(ledger, (unsigned)(ledger->generation % LEDGER_BLOCKS));
    if (result != 0)
        return result;
    struct ledger_header *header = (void *)ledger->record;
    size_t total = le32_get(header->record_bytes);
    uint64_t generation = ledger->generation + 1;
    le64_put(header->generation, generation);
    le64_put(header->length, 0);
    le64_put(ledger->record + total - LEDGER_CHECKSUM_BYTES,
             XXH3_64bits(ledger->record, total - LEDGER_CHECKSUM_BYTES));
    return write_record(ledger, generation, total);
}

/* Makes a state out of the valid record in memory. The positions are turned to the host's byte
 * order in place. */
static void
parse_record(struct ledger *ledger, struct ledger_state *state_r)
{
    const struct ledger_header *header = (const void *)ledger->record;
    size_t name_bytes = le16_get(header->name_bytes);
    state_r->kind = (enum segment_kind)le16_get(header->kind);
    state_r->mark.device = le64_get(header->device);
    state_r->mark.inode = le64_get(header->inode);
    state_r->mark.offset = le64_get(header->offset);
    state_r->mark.length = le64_get(header->length);
    state_r->position_count = le32_get(header->position_count);
    state_r->name = (struct bytes){(const char *)ledger->record + sizeof(*header), name_bytes};
    unsigned char *at = ledger->record + sizeof(*header) + padded(name_bytes);
    struct ledger_position *positions = (void *)at;
    for (size_t i = 0; i < state_r->position_count; i++)
        positions[i].offset = le64toh(positions[i].offset);
    state_r->positions = positions;
    ledger->generation = le64_get(header->generation);
    ledger->kind = state_r->kind;
}

static int
read_newest(struct ledger *ledger, struct ledger_state *state_r)
{
    uint64_t newest = 0;
    unsigned newest_block = LEDGER_BLOCKS;
    for (unsigned block = 0; block < LEDGER_BLOCKS; block++) {
        int result = read_block(ledger, block);
        if (result == -EBADMSG)
            continue;
        if (result != 0)
            return result;
        const struct ledger_header *header = (const void *)ledger->record;
        uint64_t generation = le64_get(header->generation);
        if (newest_block == LEDGER_BLOCKS || generation > newest) {
            newest = generation;
            newest_block = block;
        }
    }
    if (newest_block == LEDGER_BLOCKS)
        return -EBADMSG;
    int result = read_block(ledger, newest_block);
    if (result == 0)
        parse_record(ledger, state_r);
    return result;
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
    INVARIANT(output_name.size <= SEGMENT_DESTINATION_BYTES_MAX);
    ledger->output_name = malloc(output_name.size + 1);
    if (ledger->output_name == NULL)
        return -ENOMEM;
    if (output_name.size > 0)
        memcpy(ledger->output_name, output_name.data, output_name.size);
    ledger->output_name_bytes = output_name.size;
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

int
ledger_open_existing(struct ledger **out, int directory_fd, const char *name,
                     struct ledger_state *state_r)
{
    struct ledger *ledger = ledger_new(directory_fd, name);
    if (ledger == NULL)
        return -ENOMEM;
    ledger->fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int result = ledger->fd < 0 ? -errno : refuse_strange_file(ledger->fd);
    if (result == 0)
        result = read_newest(ledger, state_r);
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
    disk_sync_data(ledger->fd, ledger->file_name);
}

void
ledger_close(struct ledger **lp)
{
    struct ledger *ledger = *lp;
    if (ledger == NULL)
        return;
    *lp = NULL;
    if (ledger->fd >= 0)
        (void)close(ledger->fd);
    free(ledger->output_name);
    free(ledger->record);
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
