/* segment_reader.c -- verifies and walks a segment. Runs in the collector and in `mygrpcadapter
 * segments`; segment_format.h has the layout.
 *
 * While the segment is written, what is read may be a moment older at its end than at its
 * beginning, or the other way round. A record that is found whole is whole; anything else is judged
 * by a look that began afterwards.
 */
#include "segment/segment_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/invariant.h"

/* So much is read at once: little where a writer is followed, more the more there is. */
#define FILL_BYTES_MIN (16U << 10)
#define FILL_BYTES_MAX (256U << 10)

static const char CUT_SHORT[] = "the file was cut short";

struct segment_reader {
    int fd;
    struct segment_window *window; /* borrowed */
    uint64_t file_bytes;
    uint32_t version;
    struct segment_id id;
    struct segment_position start;
    struct segment_position position;
    size_t fill_bytes; /* how much the window takes next */
    bool filled;       /* the window was filled since the position was last asked for */
    const char *fault; /* a literal */
};

static const char *
header_fault(const struct segment_header *header, const struct segment_identity *identity)
{
    if (memcmp(header->magic, SEGMENT_MAGIC, sizeof(header->magic)) != 0)
        return "the header has no magic number";
    if (!segment_header_is_whole(header))
        return "the header's checksum is wrong";
    if (le32_get(header->version) < SEGMENT_VERSION_OLDEST ||
        le32_get(header->version) > SEGMENT_VERSION)
        return "the header is of an unknown version";
    if (le32_get(header->slot) != identity->slot ||
        le64_get(header->incarnation) != identity->incarnation ||
        le64_get(header->number) != identity->number)
        return "the header and the name disagree";
    if (le64_get(header->file_bytes) < SEGMENT_HEADER_BYTES)
        return "the header says that the file has no room for itself";
    return NULL;
}

int
segment_facts_read(struct segment_facts *facts_r, int fd, const struct segment_identity *identity,
                   const char **reason_r)
{
    struct segment_header header;
    struct stat status;
    *reason_r = NULL;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        *reason_r = "it is not a regular file";
        return -EBADMSG;
    }
    ssize_t got = pread(fd, &header, sizeof(header), 0);
    if (got < 0)
        return -errno;
    if (got != (ssize_t)sizeof(header) || status.st_size < SEGMENT_HEADER_BYTES)
        *reason_r = "it is shorter than a header";
    else
        *reason_r = header_fault(&header, identity);
    if (*reason_r != NULL)
        return -EBADMSG;
    facts_r->identity = *identity;
    facts_r->id = header.id;
    facts_r->version = le32_get(header.version);
    facts_r->file_bytes = le64_get(header.file_bytes);
    facts_r->start.offset = SEGMENT_HEADER_BYTES;
    facts_r->start.sequence = le64_get(header.first_sequence);
    facts_r->durable = facts_r->version >= 3 && le32_get(header.durability) != 0;
    return 0;
}

int
segment_reader_open(struct segment_reader **out, int fd, const struct segment_facts *facts,
                    struct segment_window *window)
{
    struct segment_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    reader->fd = fd;
    reader->window = window;
    reader->file_bytes = facts->file_bytes;
    reader->version = facts->version;
    reader->id = facts->id;
    reader->start = facts->start;
    reader->position = facts->start;
    reader->fill_bytes = FILL_BYTES_MIN;
    *out = reader;
    return 0;
}

/* ---- looking at the file */

static enum segment_next
damaged(struct segment_reader *reader, const char *fault)
{
    reader->fault = fault;
    return SEGMENT_NEXT_DAMAGED;
}

/* Whether the file goes on to `end`. */
static bool
file_reaches(const struct segment_reader *reader, uint64_t end)
{
    struct stat status;
    return fstat(reader->fd, &status) == 0 && (uint64_t)status.st_size >= end;
}

static const char *
fill_window(struct segment_reader *reader, uint64_t offset, size_t bytes)
{
    reader->filled = true;
    if (bytes > FILL_BYTES_MAX && !file_reaches(reader, offset + bytes)) {
        reader->fault = CUT_SHORT; /* no memory for what a damaged length says */
        return NULL;
    }
    uint64_t left = reader->file_bytes - offset;
    size_t most = reader->fill_bytes > bytes ? reader->fill_bytes : bytes;
    int result = segment_window_fill(reader->window, reader, reader->fd, offset, bytes,
                                     most < left ? most : (size_t)left);
    if (reader->fill_bytes < FILL_BYTES_MAX)
        reader->fill_bytes *= 2;
    if (result == 0)
        return reader->window->bytes;
    reader->fault = result == -ENODATA ? CUT_SHORT : "it cannot be read there";
    return NULL;
}

/* The bytes at `offset`, which are within the segment, good until the next look; NULL if the file
 * does not have them or they cannot be read: `fault` says which. */
static inline const char *
look(struct segment_reader *reader, uint64_t offset, size_t bytes)
{
    const struct segment_window *window = reader->window;
    if (window->owner == reader && offset >= window->offset &&
        offset + bytes <= window->offset + window->length)
        return window->bytes + (offset - window->offset);
    return fill_window(reader, offset, bytes);
}

/* What it means that look() found nothing. */
static enum segment_next
unseen(const struct segment_reader *reader)
{
    return reader->fault == CUT_SHORT ? SEGMENT_NEXT_DAMAGED : SEGMENT_NEXT_FAILED;
}

/* ---- records */

/* Whether the kind is one that a writer writes, and the name one that an output can have. The
 * kind that nearly all have is looked at first. */
static bool
destination_is_sane(uint64_t word, const char *body)
{
    uint16_t kind = (uint16_t)(word >> 32);
    uint16_t name_bytes = (uint16_t)(word >> 48);
    if (kind == SEGMENT_SEAL)
        return name_bytes == 0;
    bool fits = kind == SEGMENT_FILE ? name_bytes > 0 && name_bytes < SEGMENT_DESTINATION_BYTES_MAX
                                     : segment_kind_takes_name(kind, name_bytes);
    return fits && memchr(body, '\0', name_bytes) == NULL;
}

/* When the record whose header is at `at` was appended; 0 where the version does not say. */
static uint64_t
appended_ns_of(const struct segment_reader *reader, const char *at)
{
    const struct segment_record_header *header = (const void *)at;
    return reader->version == 1 ? 0 : le64_get(header->appended_ns);
}

/* Whether a record whose first eight bytes are `word` fits the segment at `offset`. */
static bool
record_fits(const struct segment_reader *reader, uint64_t offset, uint64_t word)
{
    uint32_t length = (uint32_t)word;
    return length > 0 && (uint16_t)(word >> 48) <= length &&
           segment_record_bytes_in(reader->version, length) <= reader->file_bytes - offset;
}

/* Whether the bytes at `at`, as many as a record with that `word` has, are the record of that
 * sequence that belongs at `offset`. */
static bool
record_is_whole(const struct segment_reader *reader, const char *at, uint64_t offset, uint64_t word,
                uint64_t sequence)
{
    const struct segment_record_header *header = (const void *)at;
    const char *body = at + segment_record_header_bytes(reader->version);
    if (le64_get(at) != word || le64_get(header->sequence) != sequence)
        return false;
    struct segment_record_place place = {&reader->id, offset, word, sequence,
                                         appended_ns_of(reader, at)};
    return le64_get(header->checksum) ==
               segment_record_checksum(reader->version, &place, body, (uint32_t)word) &&
           destination_is_sane(word, body);
}

/* Whether a record's header fits the segment at `offset`. */
static bool
header_fits(const struct segment_reader *reader, uint64_t offset)
{
    return reader->file_bytes - offset >= segment_record_header_bytes(reader->version);
}

static bool
seal_is_true(const struct segment_reader *reader, struct bytes body)
{
    return body.size == 8 &&
           le64_get(body.data) == reader->position.sequence - reader->start.sequence;
}

/* Judges what stands at the position by what the window has of it, which may be old. */
static enum segment_next
judge(struct segment_reader *reader, struct segment_record *record_r)
{
    uint64_t offset = reader->position.offset;
    if (!header_fits(reader, offset))
        return SEGMENT_NEXT_NONE;
    size_t header_bytes = segment_record_header_bytes(reader->version);
    const char *at = look(reader, offset, header_bytes);
    if (at == NULL)
        return unseen(reader);
    uint64_t word = le64_get(at);
    if (word == 0)
        return SEGMENT_NEXT_NONE;
    if (!record_fits(reader, offset, word))
        return damaged(reader, "what stands there is no record");
    at = look(reader, offset, segment_record_bytes_in(reader->version, (uint32_t)word));
    if (at == NULL)
        return unseen(reader);
    if (!record_is_whole(reader, at, offset, word, reader->position.sequence))
        return damaged(reader, "what stands there is no record");

    uint16_t kind = (uint16_t)(word >> 32);
    size_t name_bytes = (size_t)(word >> 48);
    struct bytes body = {at + header_bytes, (uint32_t)word};
    if (kind == SEGMENT_SEAL)
        return seal_is_true(reader, body) ? SEGMENT_NEXT_SEALED
                                          : damaged(reader, "the seal counts other records");
    record_r->kind = (enum segment_kind)kind;
    record_r->name = (struct bytes){body.data, name_bytes};
    record_r->payload = (struct bytes){body.data + name_bytes, body.size - name_bytes};
    record_r->appended_ns = appended_ns_of(reader, at);
    return SEGMENT_NEXT_RECORD;
}

enum segment_next
segment_reader_next(struct segment_reader *reader, struct segment_record *record_r)
{
    reader->filled = false;
    enum segment_next next = judge(reader, record_r);
    if (next != SEGMENT_NEXT_RECORD && next != SEGMENT_NEXT_SEALED && !reader->filled) {
        reader->fill_bytes = FILL_BYTES_MIN; /* its writer has been caught up with */
        reader->window->owner = NULL;
        next = judge(reader, record_r);
    }
    if (next == SEGMENT_NEXT_RECORD) {
        uint64_t body_bytes = record_r->name.size + record_r->payload.size;
        reader->position.offset += segment_record_bytes_in(reader->version, body_bytes);
        reader->position.sequence++;
    }
    return next;
}

/* Whether a record that is to come later stands at `offset`: SEGMENT_NEXT_DAMAGED, else
 * SEGMENT_NEXT_NONE. */
static enum segment_next
judge_later(struct segment_reader *reader, uint64_t offset)
{
    const char *at = look(reader, offset, segment_record_header_bytes(reader->version));
    if (at == NULL)
        return unseen(reader);
    uint64_t word = le64_get(at);
    const struct segment_record_header *header = (const void *)at;
    uint64_t sequence = le64_get(header->sequence);
    if (word == 0 || sequence <= reader->position.sequence || !record_fits(reader, offset, word))
        return SEGMENT_NEXT_NONE;
    at = look(reader, offset, segment_record_bytes_in(reader->version, (uint32_t)word));
    if (at == NULL)
        return unseen(reader);
    return record_is_whole(reader, at, offset, word, sequence)
               ? damaged(reader, "a record is missing there, and others follow")
               : SEGMENT_NEXT_NONE;
}

enum segment_next
segment_reader_judge_end(struct segment_reader *reader)
{
    struct stat status;
    reader->fill_bytes = FILL_BYTES_MAX;
    for (uint64_t offset = reader->position.offset;
         offset < reader->file_bytes && header_fits(reader, offset); offset += SEGMENT_ALIGNMENT) {
        enum segment_next next = judge_later(reader, offset);
        if (next != SEGMENT_NEXT_NONE)
            return next;
    }
    if (fstat(reader->fd, &status) != 0) {
        reader->fault = "its size cannot be told";
        return SEGMENT_NEXT_FAILED;
    }
    if ((uint64_t)status.st_size != reader->file_bytes)
        return damaged(reader, "the header and the size of the file disagree");
    return SEGMENT_NEXT_NONE;
}

const char *
segment_reader_fault(const struct segment_reader *reader)
{
    return reader->fault;
}

struct segment_position
segment_reader_position(const struct segment_reader *reader)
{
    return reader->position;
}

void
segment_reader_seek(struct segment_reader *reader, struct segment_position position)
{
    INVARIANT(position.offset >= SEGMENT_HEADER_BYTES && position.offset <= reader->file_bytes);
    reader->position = position;
}

void
segment_reader_sync(const struct segment_reader *reader)
{
    disk_sync_data(reader->fd, "a segment");
}

void
segment_reader_close(struct segment_reader **rp)
{
    struct segment_reader *reader = *rp;
    if (reader == NULL)
        return;
    *rp = NULL;
    if (reader->window->owner == reader)
        reader->window->owner = NULL; /* another may have its address */
    (void)close(reader->fd);
    free(reader);
}
