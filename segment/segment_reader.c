/* segment_reader.c -- verifies and walks a segment. Runs in the collector; segment_format.h has the
 * layout. */
#include "segment/segment_reader.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/invariant.h"

struct segment_reader {
    const char *memory;
    uint64_t file_bytes;
    uint32_t version;
    struct segment_id id;
    struct segment_position start;
    struct segment_position position;
};

static const char *
header_fault(const struct segment_header *header, const struct segment_identity *identity,
             uint64_t size)
{
    if (memcmp(header->magic, SEGMENT_MAGIC, sizeof(header->magic)) != 0)
        return "the header has no magic number";
    if (le64_get(header->checksum) != segment_header_checksum(header))
        return "the header's checksum is wrong";
    if (le32_get(header->version) < SEGMENT_VERSION_OLDEST ||
        le32_get(header->version) > SEGMENT_VERSION)
        return "the header is of an unknown version";
    if (le32_get(header->slot) != identity->slot ||
        le64_get(header->incarnation) != identity->incarnation ||
        le64_get(header->number) != identity->number)
        return "the header and the name disagree";
    if (le64_get(header->file_bytes) != size)
        return "the header and the size of the file disagree";
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
        *reason_r = header_fault(&header, identity, (uint64_t)status.st_size);
    if (*reason_r != NULL)
        return -EBADMSG;
    facts_r->identity = *identity;
    facts_r->id = header.id;
    facts_r->version = le32_get(header.version);
    facts_r->file_bytes = (uint64_t)status.st_size;
    facts_r->start.offset = SEGMENT_HEADER_BYTES;
    facts_r->start.sequence = le64_get(header.first_sequence);
    return 0;
}

int
segment_reader_open(struct segment_reader **out, int fd, const struct segment_facts *facts)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if ((uint64_t)status.st_size != facts->file_bytes)
        return -EBADMSG; /* truncated since: to touch the missing pages would be SIGBUS */
    struct segment_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    void *memory = mmap(NULL, facts->file_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        int error = errno;
        free(reader);
        return -error;
    }
    reader->memory = memory;
    reader->file_bytes = facts->file_bytes;
    reader->version = facts->version;
    reader->id = facts->id;
    reader->start = facts->start;
    reader->position = facts->start;
    *out = reader;
    return 0;
}

/* Whether the kind is one that a writer writes, and the name one that an output can have. */
static bool
destination_is_sane(uint64_t word, const char *body)
{
    uint16_t kind = (uint16_t)(word >> 32);
    uint16_t name_bytes = (uint16_t)(word >> 48);
    if (kind == SEGMENT_SEAL || kind == SEGMENT_STANDARD_OUTPUT)
        return name_bytes == 0;
    return kind == SEGMENT_FILE && name_bytes > 0 && name_bytes < SEGMENT_DESTINATION_BYTES_MAX &&
           memchr(body, '\0', name_bytes) == NULL;
}

/* Where the body of a record at `offset` begins. */
static const char *
body_at(const struct segment_reader *reader, uint64_t offset)
{
    return reader->memory + offset + segment_record_header_bytes(reader->version);
}

/* When the record at `offset` was appended; 0 where the version does not say. */
static uint64_t
appended_ns_at(const struct segment_reader *reader, uint64_t offset)
{
    const struct segment_record_header *header = (const void *)(reader->memory + offset);
    return reader->version == 1 ? 0 : le64_get(header->appended_ns);
}

/* Whether the bytes at `offset`, whose first eight are `word`, are a record with that sequence. The
 * record's header fits the file. */
static bool
record_is_whole(const struct segment_reader *reader, uint64_t offset, uint64_t word,
                uint64_t sequence)
{
    const struct segment_record_header *header = (const void *)(reader->memory + offset);
    const char *body = body_at(reader, offset);
    uint32_t length = (uint32_t)word;
    uint16_t name_bytes = (uint16_t)(word >> 48);
    uint64_t room = reader->file_bytes - offset;
    if (length == 0 || segment_record_bytes_in(reader->version, length) > room ||
        name_bytes > length || le64_get(header->sequence) != sequence)
        return false;
    struct segment_record_place place = {&reader->id, offset, word, sequence,
                                         appended_ns_at(reader, offset)};
    return le64_get(header->checksum) ==
               segment_record_checksum(reader->version, &place, body, length) &&
           destination_is_sane(word, body);
}

/* Whether a record's header fits the file at `offset`. */
static bool
header_fits(const struct segment_reader *reader, uint64_t offset)
{
    return reader->file_bytes - offset >= segment_record_header_bytes(reader->version);
}

static uint64_t
load_word(const struct segment_reader *reader, uint64_t offset)
{
    const void *at = reader->memory + offset;
    return le64toh(atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_acquire));
}

static bool
seal_is_true(const struct segment_reader *reader, struct bytes body)
{
    return body.size == 8 &&
           le64_get(body.data) == reader->position.sequence - reader->start.sequence;
}

enum segment_next
segment_reader_next(struct segment_reader *reader, struct segment_record *record_r)
{
    uint64_t offset = reader->position.offset;
    if (!header_fits(reader, offset))
        return SEGMENT_NEXT_NONE;
    uint64_t word = load_word(reader, offset);
    if (word == 0)
        return SEGMENT_NEXT_NONE;
    if (!record_is_whole(reader, offset, word, reader->position.sequence))
        return SEGMENT_NEXT_DAMAGED;

    uint16_t kind = (uint16_t)(word >> 32);
    size_t name_bytes = (size_t)(word >> 48);
    struct bytes body = {body_at(reader, offset), (uint32_t)word};
    if (kind == SEGMENT_SEAL)
        return seal_is_true(reader, body) ? SEGMENT_NEXT_SEALED : SEGMENT_NEXT_DAMAGED;
    record_r->kind = (enum segment_kind)kind;
    record_r->name = (struct bytes){body.data, name_bytes};
    record_r->payload = (struct bytes){body.data + name_bytes, body.size - name_bytes};
    record_r->appended_ns = appended_ns_at(reader, offset);
    reader->position.offset += segment_record_bytes_in(reader->version, body.size);
    reader->position.sequence++;
    return SEGMENT_NEXT_RECORD;
}

bool
segment_reader_has_more(const struct segment_reader *reader)
{
    uint64_t offset = reader->position.offset;
    for (; offset < reader->file_bytes && header_fits(reader, offset);
         offset += SEGMENT_ALIGNMENT) {
        uint64_t word = load_word(reader, offset);
        if (word == 0)
            continue;
        const struct segment_record_header *header = (const void *)(reader->memory + offset);
        uint64_t sequence = le64_get(header->sequence);
        if (sequence > reader->position.sequence && record_is_whole(reader, offset, word, sequence))
            return true;
    }
    return false;
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
segment_reader_close(struct segment_reader **rp)
{
    if (*rp == NULL)
        return;
    (void)munmap(bytes_unconst((*rp)->memory), (*rp)->file_bytes);
    free(*rp);
    *rp = NULL;
}
