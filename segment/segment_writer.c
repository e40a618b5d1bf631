/* segment_writer.c -- creates, fills and seals a segment. Runs in a worker; segment_format.h has
 * the layout and the crash contract, which the order of stores in write_record() keeps. */
#include "segment/segment_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/disk.h"
#include "base/file_room.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/rename.h"
#include "segment/segment_guard.h"
#include "segment/segment_name.h"

/* So much of the file is made ready for stores at once. */
#define READY_BYTES ((uint64_t)1 << 20)

struct segment_writer {
    int directory_fd; /* borrowed */
    int fd;
    bool durable;
    uint64_t page_bytes; /* of the machine's memory */
    struct segment_identity identity;
    struct segment_id id;
    char *memory;
    struct segment_guard *guard; /* of the memory */
    uint64_t file_bytes;
    /* Where the next record goes. */
    uint64_t offset;
    /* Nothing was ever stored behind it, and stores before it find their pages in memory. */
    uint64_t ready_end;
    uint64_t first_sequence;
    uint64_t next_sequence;
};

uint64_t
segment_writer_file_bytes(uint64_t body_bytes)
{
    uint64_t needed = SEGMENT_HEADER_BYTES + segment_record_bytes(body_bytes) + SEGMENT_SEAL_BYTES;
    return (needed + SEGMENT_HEADER_BYTES - 1) & ~(uint64_t)(SEGMENT_HEADER_BYTES - 1);
}

/* Writes the header's page, and behind it the zero that is the end for now. By a system call: for a
 * first store the system would read ahead as much of the file as the device is set to, and fill
 * pages that are written over before they are read. */
static int
write_header(const struct segment_writer *writer)
{
    struct {
        struct segment_header header;
        char zeros[SEGMENT_HEADER_BYTES - sizeof(struct segment_header)];
        char first_record[8];
    } start = {0};
    struct segment_header *header = &start.header;
    memcpy(header->magic, SEGMENT_MAGIC, sizeof(header->magic));
    le32_put(header->version, SEGMENT_VERSION);
    le32_put(header->slot, writer->identity.slot);
    le64_put(header->incarnation, writer->identity.incarnation);
    le64_put(header->number, writer->identity.number);
    header->id = writer->id;
    le64_put(header->file_bytes, writer->file_bytes);
    le64_put(header->created_ns, clock_realtime_ns());
    le64_put(header->first_sequence, writer->first_sequence);
    le32_put(header->durability, writer->durable ? 1 : 0);
    segment_header_finish(header);
    ssize_t size = pwrite(writer->fd, &start, sizeof(start), 0);
    if (size < 0)
        return -errno;
    return size == (ssize_t)sizeof(start) ? 0 : -EIO;
}

/* Gives the new file, which nobody else knows yet, its lock, its room, its mapping and its
 * header. */
static int
prepare_file(struct segment_writer *writer)
{
    if (flock(writer->fd, LOCK_EX | LOCK_NB) != 0)
        return -errno;
    /* Every block is allocated here: a store into a hole of a full volume would be SIGBUS, this is
     * an error. */
    int result = file_take_room(writer->fd, writer->file_bytes);
    if (result != 0)
        return result;
    crash_point("segment.allocated");
    void *memory =
        mmap(NULL, writer->file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    writer->memory = memory;
    writer->guard = segment_guard_open(memory, writer->file_bytes);
    if (writer->guard == NULL)
        return -EMFILE;
    if (getrandom(&writer->id, sizeof(writer->id), 0) != (ssize_t)sizeof(writer->id))
        return -EIO;
    result = write_header(writer);
    crash_point("segment.header_written");
    return result;
}

static void
release(struct segment_writer *writer)
{
    segment_guard_close(&writer->guard);
    if (writer->memory != NULL)
        (void)munmap(writer->memory, writer->file_bytes);
    if (writer->fd >= 0)
        (void)close(writer->fd);
    free(writer);
}

/* Gives the file another name; with `durable`, for good. */
static int
rename_file(const struct segment_writer *writer, const char *from, const char *to)
{
    int result = rename_noreplace(writer->directory_fd, from, writer->directory_fd, to);
    if (result != 0)
        return result;
    crash_point("segment.renamed");
    if (writer->durable)
        disk_sync(writer->directory_fd, "segments.directory");
    return 0;
}

/* The segment as it is in memory, without its file. NULL if there is no memory. */
static struct segment_writer *
make_writer(int directory_fd, const struct segment_identity *identity, uint64_t first_sequence,
            uint64_t file_bytes, bool durable)
{
    INVARIANT(file_bytes >= segment_writer_file_bytes(1));
    struct segment_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return NULL;
    writer->directory_fd = directory_fd;
    writer->fd = -1;
    writer->durable = durable;
    writer->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    writer->identity = *identity;
    writer->file_bytes = file_bytes;
    writer->offset = SEGMENT_HEADER_BYTES;
    writer->ready_end = SEGMENT_HEADER_BYTES;
    writer->first_sequence = first_sequence;
    writer->next_sequence = first_sequence;
    return writer;
}

void
segment_writer_discard(struct segment_writer **wp)
{
    char new_name[SEGMENT_NAME_BYTES_MAX];
    struct segment_writer *writer = *wp;
    if (writer == NULL)
        return;
    *wp = NULL;
    segment_name_format(new_name, &writer->identity, SEGMENT_STATE_NEW);
    if (writer->fd >= 0)
        (void)unlinkat(writer->directory_fd, new_name, 0);
    release(writer);
}

int
segment_writer_prepare(struct segment_writer **out, int directory_fd,
                       const struct segment_identity *identity, uint64_t first_sequence,
                       uint64_t file_bytes, bool durable)
{
    char new_name[SEGMENT_NAME_BYTES_MAX];
    char sealed_name[SEGMENT_NAME_BYTES_MAX];
    struct segment_writer *writer =
        make_writer(directory_fd, identity, first_sequence, file_bytes, durable);
    if (writer == NULL)
        return -ENOMEM;
    segment_name_format(new_name, identity, SEGMENT_STATE_NEW);
    segment_name_format(sealed_name, identity, SEGMENT_STATE_SEALED);
    writer->fd = openat(directory_fd, new_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = writer->fd < 0 ? -errno : 0;
    crash_point("segment.created");
    if (result == 0)
        result = prepare_file(writer);
    if (result == 0 && faccessat(directory_fd, sealed_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        result = -EEXIST;
    if (result != 0) {
        segment_writer_discard(&writer);
        return result;
    }
    *out = writer;
    return 0;
}

int
segment_writer_publish(struct segment_writer **wp)
{
    char new_name[SEGMENT_NAME_BYTES_MAX];
    char open_name[SEGMENT_NAME_BYTES_MAX];
    const struct segment_writer *writer = *wp;
    segment_name_format(new_name, &writer->identity, SEGMENT_STATE_NEW);
    segment_name_format(open_name, &writer->identity, SEGMENT_STATE_OPEN);
    if (writer->durable)
        disk_sync(writer->fd, new_name);
    crash_point("segment.synced");
    int result = rename_file(writer, new_name, open_name);
    if (result != 0)
        segment_writer_discard(wp);
    return result;
}

int
segment_writer_create(struct segment_writer **out, int directory_fd,
                      const struct segment_identity *identity, uint64_t first_sequence,
                      uint64_t file_bytes, bool durable)
{
    struct segment_writer *writer = NULL;
    int result = segment_writer_prepare(&writer, directory_fd, identity, first_sequence, file_bytes,
                                        durable);
    if (result == 0)
        result = segment_writer_publish(&writer);
    if (result == 0)
        *out = writer;
    return result;
}

bool
segment_writer_fits(const struct segment_writer *writer, uint64_t body_bytes)
{
    return body_bytes <= UINT32_MAX && segment_record_bytes(body_bytes) + SEGMENT_SEAL_BYTES <=
                                           writer->file_bytes - writer->offset;
}

/* Writes zeros over zeros, which brings the pages into memory. What the system does not write is
 * left to the stores. */
static void
write_zeros(const struct segment_writer *writer, uint64_t from, uint64_t end)
{
    static char zeros[READY_BYTES]; /* nobody writes to it, so it takes no memory */
    while (from < end) {
        size_t size = end - from < sizeof(zeros) ? (size_t)(end - from) : sizeof(zeros);
        if (pwrite(writer->fd, zeros, size, (off_t)from) != (ssize_t)size)
            return;
        from += size;
    }
}

/* Sees to it that stores up to `end` find their pages in memory, and those behind it too. Written
 * by one call, many pages are made as a few large ones, and then mapped together: a fault for each
 * would cost several times as much, and the collector would find them one by one. With `durable`
 * only those that are needed now: the next sync would write the others too. A file that somebody
 * cut is left as it is: zeros would make it longer again, and hide the cut. */
static void
make_ready(struct segment_writer *writer, uint64_t end)
{
    if (end <= writer->ready_end)
        return;
    uint64_t page_bytes = writer->page_bytes;
    uint64_t ahead_bytes = writer->durable ? 0 : READY_BYTES;
    uint64_t ready_end = (end + ahead_bytes + page_bytes - 1) & ~(page_bytes - 1);
    if (ready_end > writer->file_bytes)
        ready_end = writer->file_bytes;
    if (segment_writer_is_intact(writer))
        write_zeros(writer, writer->ready_end, ready_end);
    uint64_t from = writer->ready_end & ~(page_bytes - 1);
    (void)madvise(writer->memory + from, ready_end - from, MADV_POPULATE_WRITE);
    writer->ready_end = ready_end;
}

static void
store(char *to, struct bytes bytes)
{
    if (bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
}

/* Fills the record's place, then publishes it; the order is the crash contract. Returns false if
 * one of the stores did not reach the file: then the record is not published there. */
static bool
store_record(struct segment_writer *writer, const struct segment_record *record)
{
    char *at = writer->memory + writer->offset;
    char *body = at + SEGMENT_RECORD_HEADER_BYTES;
    uint64_t body_bytes = record->name.size + record->payload.size;
    uint64_t word = segment_publish_word((uint32_t)body_bytes, (uint16_t)record->kind,
                                         (uint16_t)record->name.size);

    make_ready(writer, writer->offset + segment_record_bytes(body_bytes));
    store(body, record->name);
    store(body + record->name.size, record->payload);
    struct segment_record_header *header = (void *)at;
    struct segment_record_place place = {&writer->id, writer->offset, word, writer->next_sequence,
                                         clock_realtime_ns()};
    le64_put(header->sequence, place.sequence);
    le64_put(header->appended_ns, place.appended_ns);
    le64_put(header->checksum, segment_record_checksum(SEGMENT_VERSION, &place, body, body_bytes));
    if (segment_guard_has_faulted(writer->guard))
        return false;
    crash_point("segment.record_stored");
    atomic_store_explicit((_Atomic uint64_t *)(void *)at, htole64(word), memory_order_release);
    if (segment_guard_has_faulted(writer->guard))
        return false;
    crash_point("segment.record_published");

    writer->offset += segment_record_bytes(body_bytes);
    writer->next_sequence++;
    return true;
}

/* Why a store was a fault: a system call for the same place says it. The byte is the first of a
 * publish word that was not stored, so it is zero anyhow. A file that somebody cut stays as it
 * is. */
static int
fault_error(const struct segment_writer *writer)
{
    static const char zero;
    if (segment_writer_is_intact(writer) && pwrite(writer->fd, &zero, 1, (off_t)writer->offset) < 0)
        return -errno;
    return -EIO;
}

/* Appends and publishes. Returns 0, or a negative errno if the file cannot be stored to. */
static int
write_record(struct segment_writer *writer, const struct segment_record *record)
{
    return store_record(writer, record) ? 0 : fault_error(writer);
}

int
segment_writer_append(struct segment_writer *writer, const struct segment_record *record)
{
    uint64_t body_bytes = record->name.size + record->payload.size;
    INVARIANT(body_bytes > 0 && segment_writer_fits(writer, body_bytes));
    INVARIANT(record->name.size <= SEGMENT_DESTINATION_BYTES_MAX && record->kind != SEGMENT_SEAL);
    return write_record(writer, record);
}

bool
segment_writer_is_intact(const struct segment_writer *writer)
{
    struct stat status;
    return fstat(writer->fd, &status) == 0 && status.st_nlink > 0 &&
           (uint64_t)status.st_size == writer->file_bytes;
}

void
segment_writer_sync(const struct segment_writer *writer)
{
    disk_sync_data(writer->fd, "the open segment");
}

uint64_t
segment_writer_next_sequence(const struct segment_writer *writer)
{
    return writer->next_sequence;
}

void
segment_writer_seal(struct segment_writer **wp)
{
    struct segment_writer *writer = *wp;
    if (writer == NULL)
        return;
    *wp = NULL;
    char count[8];
    le64_put(count, writer->next_sequence - writer->first_sequence);
    struct segment_record seal = {SEGMENT_SEAL, {NULL, 0}, {count, sizeof(count)}, 0};
    int result = write_record(writer, &seal);

    char open_name[SEGMENT_NAME_BYTES_MAX];
    char sealed_name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(open_name, &writer->identity, SEGMENT_STATE_OPEN);
    segment_name_format(sealed_name, &writer->identity, SEGMENT_STATE_SEALED);
    if (writer->durable)
        segment_writer_sync(writer);
    crash_point("segment.seal_synced");
    if (result == 0)
        result = rename_file(writer, open_name, sealed_name);
    crash_point("segment.sealed");
    if (result != 0)
        log_write(LOG_LEVEL_WARNING, "cannot seal a segment; it is left to the collector",
                  LOG_FIELDS(log_string("segment", open_name), log_error(result)));
    release(writer);
}

void
segment_writer_abandon(struct segment_writer **wp)
{
    if (*wp == NULL)
        return;
    release(*wp);
    *wp = NULL;
}
